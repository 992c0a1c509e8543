"""The one place where an installation is put together: database, client, tracks, content, clock, activities, worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from temporalio.client import Client

from nurture.content.catalogue import Catalogue
from nurture.journey.track import Registry, load_tracks
from nurture.people.scoring import DEFAULT_MODEL, ScoringModel
from nurture.timing.clock import Clock
from perennial.channels.envelope import From
from perennial.channels.render import load_catalogue
from perennial.intake.behaviours import Listener
from perennial.journeys.enrolling import Enroller
from perennial.platform.clock import read_clock
from perennial.platform.database import Database
from perennial.platform.moment import Moment
from perennial.platform.settings import Settings
from perennial.platform.temporal import connect


@dataclass(frozen=True)
class Installation:
    """Everything that commands, worker and web share."""

    settings: Settings
    database: Database
    client: Client
    tracks: Registry
    catalogue: Catalogue
    scoring: ScoringModel
    clock: Clock

    @property
    def moment(self) -> Moment:
        """Now."""
        return Moment(self.clock)

    @property
    def enroller(self) -> Enroller:
        """Puts leads on tracks."""
        return Enroller(self.database, self.client, self.tracks, self.settings.task_queue, self.clock)

    @property
    def ear(self) -> Listener:
        """Takes in behaviours."""
        return Listener(self.database, self.client, self.enroller, self.scoring)


@asynccontextmanager
async def installation(settings: Settings, address: str | None = None) -> AsyncIterator[Installation]:
    """The installation that the settings describe, connected; closed at the end of the block.

    Raises SettingsError if Temporal or the database cannot be reached, ContentError or TrackError if pieces or tracks
    are broken.
    """
    database = Database(settings.database_url)
    try:
        yield Installation(
            settings=settings,
            database=database,
            client=await connect(address),
            tracks=load_tracks("workflows.tracks"),
            catalogue=load_catalogue(settings.content_dir),
            scoring=DEFAULT_MODEL,
            clock=await read_clock(database),
        )
    finally:
        await database.close()


def sender_of(settings: Settings) -> From:
    """Who our mails are from."""
    return From(
        name=settings.sender.name,
        address=settings.sender.address,
        reply_to=settings.reply_to,
        postal_address=settings.postal_address,
        public_url=settings.public_url,
    )
