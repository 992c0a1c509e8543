"""The embedded stack: Temporal's development server, a migrated database, the clock, and our programs.

Worker, web service, relay and mailbox are child processes: when one dies, the others go on, and it is started again.
They finish what is in flight and end when their standard input closes: with this process, however that ends.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from nurture.errors import SettingsError
from nurture.timing.clock import Clock
from perennial.app.connected import ConnectedInstallation, connected_installation
from perennial.dev.child import Announce, Child
from perennial.dev.embedded import Engine, embedded_engine
from perennial.mailroom.client import MailboxClient
from perennial.platform.clock import set_clock
from perennial.platform.installation import open_installation
from perennial.platform.migrations import upgrade
from perennial.platform.private_files import private_file
from perennial.platform.settings import Settings, variable
from perennial.platform.temporal import connect, ensure_search_attributes

T = TypeVar("T")

PORTS = "ports.json"
_PASSED_ON = (
    "database_url",
    "task_queue",
    "programme",
    "content_dir",
    "provider",
    "public_url",
    "mailbox_url",
    "web_port",
)


@dataclass(frozen=True, slots=True)
class Stack:
    """A running embedded stack. Without a mailbox, mail leaves by the provider of the settings."""

    engine: Engine
    inst: ConnectedInstallation
    worker: Child
    web_url: str
    mailbox_url: str | None
    _failing: tuple["asyncio.Task[NoReturn]", ...] = field(repr=False)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work`; raises SettingsError at once if the server ends, its disk fills up or a program stays down."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, *self._failing}, return_when=asyncio.FIRST_COMPLETED)
            for failed in self._failing:
                if failed.done():
                    failed.result()
            return task.result()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


@asynccontextmanager
async def embedded_stack(
    settings: Settings,
    announce: Announce,
    *,
    speed: float | None = None,
    port: int | None = None,
    ui_port: int | None = None,
    log: Path | None = None,
    edge: bool = True,
    workers: int = 1,
) -> AsyncIterator[Stack]:
    """Start everything on the settings' data folder, and stop it in order at the end: programs, then server.

    Journeys of an earlier run go on where they stood. `speed` fixes the clock of a new folder. The worker is still
    starting when the block begins: await `worker.ready()`. `log` takes the programs' error output. Without `edge` no
    web service and no relay runs, so that nothing comes in. Each of the `workers` uses one core at most.

    Raises SettingsError if the folder is in use, a port is taken, the disk is full, or its clock runs at another speed.
    """
    async with AsyncExitStack() as held:
        engine = await held.enter_async_context(embedded_engine(settings.data_dir, port=port, ui_port=ui_port))
        watch = held.enter_context(_task(engine.watch()))
        await upgrade(settings.database_url)
        clock = await _fix_clock(settings, speed)
        client = await connect(engine.address)
        await ensure_search_attributes(client)
        settings = _addressed(settings)
        keeping = [watch]

        async def start(child: Child) -> Child:
            keep = asyncio.create_task(child.keep())
            held.push_async_callback(_ended, keep)
            keeping.append(keep)
            return child

        variables = _variables(settings)
        if settings.provider == "mailbox":
            mailbox = await start(_mailbox(settings, clock, variables, announce, log))
            await _ready(mailbox, keeping)
            settings = settings.model_copy(update={"mailbox_url": mailbox.ready_text})
            key = await asyncio.to_thread(MailboxClient(mailbox.ready_text).webhook_key)
            variables = _variables(settings) | {variable("sendgrid_webhook_key"): key}
        for child in _edge(settings, variables, announce, log) if edge else ():
            await start(child)
        arguments = ("-m", "perennial.app.run_worker", "--address", engine.address, "--child")
        worker = await start(Child("worker", arguments, variables, "worker: working", announce, log))
        for _ in range(workers - 1):
            await start(Child("worker", arguments, variables, "worker: working", _troubles_only(announce), log))
        inst = await held.enter_async_context(connected_installation(settings, client))
        mailbox_url = settings.mailbox_url if settings.provider == "mailbox" else None
        yield Stack(engine, inst, worker, settings.public_url, mailbox_url, tuple(keeping))


def _edge(settings: Settings, variables: dict[str, str], announce: Announce, log: Path | None) -> tuple[Child, Child]:
    commands, troubles = ("-m", "perennial.cli"), _troubles_only(announce)
    web = (*commands, "web", "--host", "127.0.0.1", "--port", str(settings.web_port), "--child")
    relay = (*commands, "relay", "--child")
    return (
        Child("web", web, variables, "web: listening on", troubles, log),
        Child("relay", relay, variables, "relay: passing on", troubles, log),
    )


def _mailbox(
    settings: Settings, clock: Clock, variables: dict[str, str], announce: Announce, log: Path | None
) -> Child:
    time = {"real": clock.real.isoformat(), "virtual": clock.virtual.isoformat(), "speed": clock.speed}
    arguments = (
        *("-m", "perennial.mailroom", "--child"),
        *("--data-dir", str(settings.data_dir.resolve())),
        *("--port", str(_free_port(settings.data_dir, "mailbox", 8025))),
        *("--webhook-url", f"http://127.0.0.1:{settings.web_port}/webhooks/sendgrid"),
        *("--clock", json.dumps(time)),
    )
    return Child("mailbox", arguments, variables, "mailbox ", announce, log)


def _troubles_only(announce: Announce) -> Announce:
    """Announce a program's troubles alone, not that it runs or has stopped in order."""
    in_order = (": stopped", ": listening on", ": passing on", ": working", ": finishing")

    def announce_trouble(line: str) -> None:
        if not any(each in line for each in in_order):
            announce(line)

    return announce_trouble


async def _ready(child: Child, failing: "list[asyncio.Task[NoReturn]]") -> None:
    ready = asyncio.ensure_future(child.ready())
    await asyncio.wait({ready, *failing}, return_when=asyncio.FIRST_COMPLETED)
    for task in failing:
        if task.done():
            ready.cancel()
            task.result()


def _addressed(settings: Settings) -> Settings:
    """The settings with the addresses of this run: ports that were given, else the last run's, else any free ones."""
    changes: dict[str, Any] = {}
    if "web_port" not in settings.model_fields_set:
        changes["web_port"] = _free_port(settings.data_dir, "web", settings.web_port)
    if "public_url" not in settings.model_fields_set:
        changes["public_url"] = f"http://127.0.0.1:{changes.get('web_port', settings.web_port)}"
    return settings.model_copy(update=changes)


def _free_port(data_dir: Path, name: str, usual: int) -> int:
    """A free port on the loopback: the last run's, so that links in old mails still work; the usual one; or any."""
    path = data_dir / PORTS
    try:
        ports = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        ports = {}
    for candidate in (ports.get(name), usual, 0):
        if isinstance(candidate, int) and (found := _bindable(candidate)) is not None:
            private_file(path)
            path.write_text(json.dumps(ports | {name: found}), encoding="utf-8")
            return found
    raise SettingsError(f"no port is free for {name}; stop something that listens on this machine")


def _bindable(port: int) -> int | None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return None
        return int(sock.getsockname()[1])


def _variables(settings: Settings) -> dict[str, str]:
    passed = {variable(name): str(getattr(settings, name)) for name in _PASSED_ON}
    return passed | {variable("data_dir"): str(settings.data_dir.resolve())}


async def _fix_clock(settings: Settings, speed: float | None) -> Clock:
    async with open_installation(settings) as inst:
        return inst.clock if speed is None else await set_clock(inst.database, speed)


async def _ended(task: "asyncio.Task[NoReturn]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, SettingsError):
        await task


@contextmanager
def _task(work: Coroutine[Any, Any, NoReturn]) -> Iterator["asyncio.Task[NoReturn]"]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
