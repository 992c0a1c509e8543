"""Put an installation together: database and clock, a Temporal client, and the company's programme."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import Client

from nurture.content.catalogue import Catalogue
from nurture.journey.track import Registry
from nurture.people.scoring import ScoringModel
from nurture.segments.named import Segments
from perennial.app.programme import programme_of
from perennial.channels.envelope import From
from perennial.intake.listener import Listener
from perennial.journeys.enrolling import Enroller
from perennial.journeys.sweeping import Sweeper
from perennial.platform.installation import Installation, open_installation
from perennial.platform.settings import Settings


@dataclass(frozen=True)
class ConnectedInstallation(Installation):
    """An installation connected to Temporal, with its programme: for the worker, and commands that act on journeys."""

    client: Client
    tracks: Registry
    catalogue: Catalogue
    scoring: ScoringModel
    activities: Sequence[Callable[..., Any]] = ()
    """The company's own, beside those of the primitive steps."""
    segments: Segments = field(default_factory=Segments)
    broken: Sequence[str] = ()
    """The files of tracks and activities that cannot be used, a line each."""

    @property
    def enroller(self) -> Enroller:
        """Puts leads on tracks."""
        settings = self.settings
        lean = settings.search_attributes == "lean"
        return Enroller(
            self.database, self.client, self.tracks, settings.task_queue, self.clock, scoring=self.scoring, lean=lean
        )

    @property
    def sweeper(self) -> Sweeper:
        """Enrols those who come into segments."""
        return Sweeper(self.enroller, self.segments, self.now)

    @property
    def listener(self) -> Listener:
        """Takes reports of behaviours."""
        return Listener(self.database, self.client, self.enroller, self.scoring, self.settings.history_after)


@asynccontextmanager
async def connected_installation(settings: Settings, client: Client) -> AsyncIterator[ConnectedInstallation]:
    """Open the installation that the settings describe, and close its database at the end of the block.

    Raises SettingsError if the database cannot be reached, ContentError if a content piece is broken.
    """
    async with open_installation(settings) as base:
        programme = programme_of(settings)
        yield ConnectedInstallation(
            settings=base.settings,
            database=base.database,
            clock=base.clock,
            client=client,
            tracks=programme.tracks,
            catalogue=programme.catalogue,
            scoring=programme.scoring,
            activities=programme.activities,
            segments=programme.segments,
            broken=programme.broken,
        )


def sender_of(settings: Settings) -> From:
    """Who our mails are from."""
    return From(
        name=settings.sender.name,
        address=settings.sender.address,
        reply_to=settings.reply_to,
        postal_address=settings.postal_address,
        public_url=settings.public_url,
    )
