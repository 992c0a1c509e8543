"""starter.py relay: from stored events to the journeys they concern."""

import asyncio
import signal
import sys
from contextlib import suppress
from typing import Annotated

import structlog
import typer
from temporalio.service import RPCError

from nurture.errors import SettingsError
from perennial.app.installation import Installation, installation
from perennial.cli.shared import settings_of
from perennial.dev.embedded import running_engine
from perennial.intake.relay import Relay
from perennial.intake.translate import Translator
from perennial.leads.identity import Identities
from perennial.platform.logs import configure_logs
from perennial.platform.migrations import require_current
from perennial.platform.secrets import secret_of
from perennial.platform.settings import Settings

RETRY_SECONDS = 5.0
TELL_SECONDS = 60.0

log = structlog.get_logger(__name__)


def relay(
    ctx: typer.Context,
    *,
    child: Annotated[bool, typer.Option("--child", hidden=True, help="Stop when standard input closes.")] = False,
) -> None:
    """Pass on what came in: webhooks, website events and clicks, to the journeys that listen. Ctrl-C stops.

    Run one or more; one works at a time, and another takes over if it dies. While Temporal is away what comes in is
    kept, and passed on in order once it is back.

    Example: starter.py relay
    """
    settings = settings_of(ctx)
    configure_logs(settings.log_format, level=settings.log_level)
    asyncio.run(pass_on(settings, child=child))


async def pass_on(settings: Settings, *, child: bool) -> None:
    """Relay until SIGINT, SIGTERM, or for a child the end of standard input."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if child:
        loop.add_reader(sys.stdin, stop.set)
    await require_current(settings.database_url)
    while not stop.is_set():
        engine = running_engine(settings.data_dir)
        try:
            async with installation(settings, engine.address if engine else None) as inst:
                _say("passing on what comes in")
                await _relay(inst, secret_of(settings), stop)
        except SettingsError as error:
            if isinstance(error.__cause__, RPCError):
                raise  # it answers, and refuses us: waiting would not help
            _say(f"waiting: {error}")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_SECONDS)
    if child:
        loop.remove_reader(sys.stdin)
    _say("stopped")


async def _relay(inst: Installation, secret: str, stop: asyncio.Event) -> None:
    relay = Relay(inst.database, inst.ear, Translator(Identities(secret, inst.scoring), inst.scoring))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(relay.run(stop))
        tasks.create_task(_tell_backlog(relay, stop))


async def _tell_backlog(relay: Relay, stop: asyncio.Event) -> None:
    """Say now and then how far behind it is, if it is."""
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), TELL_SECONDS)
        backlog = await relay.backlog()
        if backlog.waiting and not stop.is_set():
            log.info("events are waiting", waiting=backlog.waiting, oldest=str(backlog.oldest))


def _say(line: str) -> None:
    sys.stdout.write(f"relay: {line}\n")
    sys.stdout.flush()
