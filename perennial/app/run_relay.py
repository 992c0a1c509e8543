"""The relay as a program: passes stored events on to the journeys they concern, until SIGINT or SIGTERM."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict

import structlog

from perennial.app.connected import ConnectedInstallation, connected_installation
from perennial.app.sources import translator
from perennial.intake.relay import Relay
from perennial.platform.heartbeat import beating
from perennial.platform.migrations import require_current
from perennial.platform.processes import announcer, connect_patiently, stop_event
from perennial.platform.secrets import secrets_of
from perennial.platform.settings import Settings
from perennial.privacy.retention import Keep, prune

BACKLOG_SECONDS = 60.0
FIRST_PRUNE_SECONDS, DAY_SECONDS = 600.0, 86_400.0

log = structlog.get_logger(__name__)


async def pass_on(settings: Settings, address: Callable[[], str | None], *, child: bool = False) -> None:
    """Relay until told to stop. `address` finds the embedded engine, None for where Temporal's own settings say."""
    announce = announcer("relay")
    with stop_event(child=child) as stop:
        await require_current(settings.database_url)
        if client := await connect_patiently(address, stop, announce):
            async with connected_installation(settings, client) as inst:
                for line in inst.broken:
                    announce(f"broken, and left out: {line}")
                announce("passing on what comes in")
                async with beating(settings.heartbeat_file):
                    await _relay(inst, stop)
        announce("stopped")


async def _relay(inst: ConnectedInstallation, stop: asyncio.Event) -> None:
    relay = Relay(inst.database, inst.listener, translator(secrets_of(inst.settings), inst.scoring))
    await relay.teller.ensure_attributes()  # without them no journey can be started, and the worker may come later
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(relay.run(stop))
        tasks.create_task(_log_backlog(relay, stop))
        tasks.create_task(_prune_daily(inst, stop))


async def _prune_daily(inst: ConnectedInstallation, stop: asyncio.Event) -> None:
    """Remove what is past its time, soon after the start and then once a day."""
    wait = FIRST_PRUNE_SECONDS
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait)
            return
        wait = DAY_SECONDS
        try:
            gone = await prune(inst.database, Keep.by(inst.settings), inst.now())
        except Exception as error:  # noqa: BLE001 - tomorrow is soon enough; the relay goes on
            log.warning("what is kept no longer was not removed", kind=type(error).__name__)
            continue
        log.info("removed what is kept no longer", **asdict(gone))


async def _log_backlog(relay: Relay, stop: asyncio.Event) -> None:
    """Log once a minute how far behind the relay is, if it is."""
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), BACKLOG_SECONDS)
        try:
            backlog = await relay.backlog()
        except Exception as error:  # noqa: BLE001 - the relay itself says what is away; no figure ends it
            log.warning("the outbox cannot be counted", kind=type(error).__name__)
            continue
        if backlog.waiting and not stop.is_set():
            log.info("events are waiting", waiting=backlog.waiting, oldest=str(backlog.oldest))
