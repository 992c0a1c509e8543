"""Run the mailbox: one process for a data folder, on one port, until SIGINT or SIGTERM."""

import asyncio
import fcntl
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from nurture.errors import InputError, SettingsError
from nurture.timing.clock import Clock
from perennial.mailroom.app import LOOPBACK, Access, mailbox_app
from perennial.mailroom.box import Mailbox
from perennial.mailroom.drop import KeepTransport
from perennial.mailroom.faults import Fault, FaultScript
from perennial.mailroom.store import Store
from perennial.mailroom.webhook import Manners, Signer, Webhook

DEFAULT_PORT = 8025
LOCK = "mailbox.lock"


@dataclass(frozen=True, slots=True)
class Options:
    """How to run a mailbox. Port 0 is any free one; with `holds` a person decides on each delivery."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    webhook_url: str | None = None
    api_key: str | None = None
    clock: Clock = field(default_factory=Clock.production)
    manners: Manners = field(default_factory=Manners)
    faults: Sequence[Fault] = ()
    holds: bool = False
    a_minute: int = 1_000_000


def running_mailbox(data_dir: Path) -> str | None:
    """The URL of the mailbox that runs on this folder; None if none does."""
    try:
        with (data_dir / LOCK).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return str(json.load(lock)["url"])
    except (OSError, ValueError, LookupError, TypeError):
        pass
    return None


async def serve(options: Options, ready: Callable[[str], None]) -> None:
    """Serve until a signal; call `ready` with the URL once it answers. Raises SettingsError, InputError."""
    if any(fault.kind == "refuse" for fault in options.faults):
        raise InputError("the fault `refuse` begins at once; set it on a running mailbox")
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    with _locked(options.data_dir) as say_where:
        listener = _bind(options.host, options.port)
        host = f"[{options.host}]" if ":" in options.host else options.host
        url = f"http://{host}:{listener.getsockname()[1]}"
        say_where(url)
        await _serve(options, listener, stopping, lambda: ready(url))


async def _serve(options: Options, listener: socket.socket, stopping: asyncio.Event, ready: Callable[[], None]) -> None:
    store = Store(options.data_dir)
    webhook = Webhook(store, Signer(store), options.webhook_url, options.manners)
    script = FaultScript()
    for fault in options.faults:
        script.add(fault)
    box = Mailbox(store, webhook, script, options.clock, options.holds)
    box.take_up()
    hosts = LOOPBACK if options.host in {"127.0.0.1", "::1", "localhost"} else ("*",)
    caller = asyncio.create_task(webhook.run())
    try:
        await _Server(options, box, Access(options.api_key, options.a_minute, hosts), stopping).run(listener, ready)
    finally:
        caller.cancel()
        with suppress(asyncio.CancelledError):
            await caller
        store.close()


class _Server:
    """The web server; it closes its port for a while when a fault says so."""

    def __init__(self, options: Options, box: Mailbox, access: Access, stopping: asyncio.Event) -> None:
        self._host = options.host
        self._stopping = stopping
        self._away = 0.0
        self._server: uvicorn.Server | None = None
        app = mailbox_app(box, access, self._refuse)
        self._config = uvicorn.Config(
            KeepTransport(app), lifespan="off", log_level="warning", access_log=False, timeout_graceful_shutdown=1
        )

    async def run(self, listener: socket.socket, ready: Callable[[], None]) -> None:
        port = int(listener.getsockname()[1])
        announced = False
        while True:
            self._server = server = uvicorn.Server(self._config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has a flag, and no event
                await asyncio.sleep(0.01)
            if not announced:
                ready()
                announced = True
            await serving
            # A signal or a fault ended the server.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._away):
                    await self._stopping.wait()
            if self._stopping.is_set():
                return
            listener = _bind(self._host, port)

    async def _refuse(self, seconds: float) -> None:
        if self._server is None:
            return
        for each in self._server.servers:
            each.close()
        self._away = seconds
        self._server.should_exit = True


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"the mailbox cannot listen on {host}:{port}: {reason}; give another --port") from None
    return listener


@contextmanager
def _locked(data_dir: Path) -> Iterator[Callable[[str], None]]:
    """Lock the folder, and yield a function that records the mailbox's URL there."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (data_dir / LOCK).open("a+")
    except OSError as error:
        raise SettingsError(f"{error.filename}: {error.strerror}; give a folder that can be written") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = running_mailbox(data_dir) or "another address"
            raise SettingsError(f"a mailbox runs on {data_dir} already, at {where}; use that one, or stop it") from None

        def say_where(url: str) -> None:
            lock.truncate(0)
            lock.write(json.dumps({"url": url, "pid": os.getpid()}))
            lock.flush()

        yield say_where
