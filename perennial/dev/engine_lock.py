"""The lock of a data folder: which process runs its engine, and where. Its ports outlive the run."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from nurture.errors import SettingsError
from perennial.dev.disk import disk_error
from perennial.platform.private_files import private_folder

HOST = "127.0.0.1"
_LOCK = "engine.lock"
_POLL = 0.05
_TRIES = 4


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An embedded engine that answers: the process that owns it, and where it listens."""

    pid: int
    address: str
    ui_url: str


def running_engine(data_dir: Path) -> RunningEngine | None:
    """The engine that answers for a data folder, whichever process owns it; None if none holds its lock."""
    try:
        handle = (data_dir / _LOCK).open("rb")
    except OSError:
        return None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _running(_read(handle))
    return None


def engine_address(data_dir: Path) -> str | None:
    """The address of the engine that answers for a data folder; None if none does."""
    engine = running_engine(data_dir)
    return engine.address if engine else None


@dataclass(frozen=True, slots=True)
class EngineLock:
    """The folder's lock, held by this process."""

    handle: IO[bytes]

    def read(self) -> dict[str, Any]:
        """What the last holder wrote: its process, the server's, and its ports."""
        return _read(self.handle)

    def write(self, record: dict[str, Any]) -> None:
        """Say who runs where."""
        # Write in place: after a rename the lock would be on a file that nobody sees.
        self.handle.seek(0)
        self.handle.write(json.dumps(record).encode())
        self.handle.truncate()
        self.handle.flush()


@contextmanager
def lock_folder(data_dir: Path) -> Iterator[EngineLock]:
    """Hold the lock of a data folder, which is made if need be. Raises SettingsError if another process holds it."""
    try:
        private_folder(data_dir)
        handle = os.fdopen(os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    except OSError as error:
        raise disk_error(data_dir, error) from error
    with handle:
        # Several tries: `running_engine` holds the lock for an instant to see whether it can.
        for _ in range(_TRIES):
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(_POLL)
        else:
            raise _in_use(data_dir, _read(handle))
        try:
            yield EngineLock(handle)
        finally:
            # Unlock explicitly: a forked child holds the same lock, and may live on.
            fcntl.flock(handle, fcntl.LOCK_UN)


def _read(handle: IO[bytes]) -> dict[str, Any]:
    handle.seek(0)
    try:
        record = json.loads(handle.read())
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _running(record: dict[str, Any]) -> RunningEngine | None:
    match record:
        case {"ready": True, "pid": int(pid), "port": int(port), "ui_port": int(ui_port)}:
            return RunningEngine(pid, f"{HOST}:{port}", f"http://{HOST}:{ui_port}")
    return None


def _in_use(data_dir: Path, record: dict[str, Any]) -> SettingsError:
    running = _running(record)
    ui = f", its UI is at {running.ui_url}" if running else ""
    return SettingsError(
        f"data folder {data_dir} is in use by process {record.get('pid', '(starting)')}{ui}; "
        "stop that first, or choose another folder with PERENNIAL_DATA_DIR"
    )
