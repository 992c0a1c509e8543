"""Open the installation that the settings name: its database alone, or connected to Temporal as well."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from temporalio.client import Client
from temporalio.service import RPCError

from nurture.errors import SettingsError, TrackError
from nurture.journey.track import Registry
from perennial.app.connected import ConnectedInstallation, connected_installation
from perennial.app.programme import programme_of
from perennial.cli.printing import err, escape_lines
from perennial.dev.engine_lock import engine_address
from perennial.intake.history import History
from perennial.intake.recording import Recorder
from perennial.leads.scores_now import ScoresNow
from perennial.platform.installation import Installation, open_installation
from perennial.platform.migrations import require_current
from perennial.platform.settings import Settings, load_settings
from perennial.platform.temporal import connect

T = TypeVar("T")

LATER = "Temporal is away: the relay tells the journeys once it is back."


@asynccontextmanager
async def opened_database(*, to_write: bool = False) -> AsyncIterator[Installation]:
    """The installation without Temporal, which may be away. Raises SettingsError for a database behind this version."""
    settings = load_settings()
    await require_current(settings.database_url, to_write=to_write)
    async with open_installation(settings) as inst:
        yield inst


@asynccontextmanager
async def connected() -> AsyncIterator[ConnectedInstallation]:
    """The installation connected to the data folder's running engine, else to where Temporal's own settings say."""
    settings = load_settings()
    await require_current(settings.database_url)
    client = await connect(engine_address(settings.data_dir))
    async with connected_installation(settings, client) as inst:
        tell_broken(inst.tracks)
        yield inst


def tell_broken(tracks: Registry) -> Registry:
    """Say on standard error which files of tracks are broken; the command goes on with the others."""
    for line in tracks.broken:
        err().print(f"[yellow]broken track:[/] {escape_lines(line)}")
    return tracks


async def tell_if_up(base: Installation, tell: Callable[[ConnectedInstallation], Awaitable[T]]) -> T | None:
    """Tell journeys what is committed; None if Temporal is away, or the programme broken: then the relay tells them."""
    client = await client_if_up(base.settings)
    if client is None:
        return None
    try:
        async with connected_installation(base.settings, client) as inst:
            return await tell(inst)
    except (RPCError, TrackError):
        return None


def recorder_of(base: Installation) -> Recorder:
    """What records behaviours. With a broken programme it knows no track that one could start; the relay will."""
    programme = programme_of(base.settings)
    try:
        tracks = programme.tracks
    except TrackError:
        tracks = Registry(())
    return Recorder(programme.scoring, tracks, History(base.settings.history_after, base.clock))


def scores_now(base: Installation) -> ScoresNow:
    """Scores as of now."""
    return ScoresNow(programme_of(base.settings).scoring, base.now())


async def client_if_up(settings: Settings) -> Client | None:
    """A Temporal client; None if no server answers."""
    try:
        return await connect(engine_address(settings.data_dir))
    except SettingsError:
        return None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work to its end."""
    return asyncio.run(work)
