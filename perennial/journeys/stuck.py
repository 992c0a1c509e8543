"""Stuck journeys: their track's code is gone or raises, or a step of theirs keeps failing.

The journey is never lost for it: it tries again by itself, hears exits and pauses meanwhile, and people see since when
it is stuck, and because of what.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from sqlalchemy import Table, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from models.journeys import Enrolment
from models.messages import DoOrder, StepOrder
from nurture.content.catalogue import Catalogue
from nurture.errors import NotFoundError, TrackError
from nurture.journey.decision import Decision, Park
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import opted_out
from nurture.journey.outcomes import Outcome
from nurture.journey.plan import last_place, plan
from nurture.journey.track import Registry, Track, track
from nurture.timing.clock import Clock
from perennial.journeys.alerts import STUCK, raise_alert
from perennial.journeys.read_model import Trouble
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database

SOONEST = timedelta(seconds=10)
LATEST = timedelta(minutes=10)
"""Real time until code that raises is tried again: as long as it has raised so far, within these bounds."""

NOTED_FROM = 3
"""A step that fails for the third time is told to people: most troubles of a provider or database are over by then."""

PATIENT = ("FateUnknown", "Asked")
"""Failures that only wait for news, as they should."""

_ENROLMENTS = cast("Table", Enrolment.__table__)
_NOTE = (
    _ENROLMENTS.update()
    .where(_ENROLMENTS.c.id == bindparam("enrolment"))
    .values(
        stuck=bindparam("text", type_=_ENROLMENTS.c.stuck.type),
        stuck_since=func.coalesce(_ENROLMENTS.c.stuck_since, bindparam("at", type_=_ENROLMENTS.c.stuck_since.type)),
    )
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Retry:
    """When code that raises is tried again: the clock, the machine's time now, and since when it has raised."""

    clock: Clock
    wall: datetime
    since: datetime | None

    def at(self, now: datetime) -> datetime:
        """The journey's moment of the next try."""
        raised_for = self.clock.real_duration(now - self.since) if self.since is not None else timedelta(0)
        return max(now, self.clock.virtual_at(self.wall + min(max(raised_for, SOONEST), LATEST)))


def track_or_gone(tracks: Registry, name: str) -> Track:
    """The track of this name; if its code is gone, one that only knows opt-outs, and says so whenever it is run."""
    try:
        return tracks[name]
    except NotFoundError as error:
        said = str(error)

    async def gone(_: Lead) -> Outcome:
        raise TrackError(f"{said}; put its file back, or rename the track that took its place with was={name!r}")

    return track(name, exits_on=(opted_out,))(gone)


def plan_or_stay(
    track: Track, journal: Journal, now: datetime, catalogue: Catalogue, retry: Retry
) -> tuple[Decision, Trouble | None]:
    """What comes next; if the track's code raises: to stay until the next try, and for what trouble."""
    try:
        return plan(track, journal, now, catalogue), None
    except TrackError as error:
        said, text = error.said, str(error)
    except Exception as error:
        log.exception("a plan failed", track=track.name)
        said = f"{type(error).__name__} in Perennial itself; the worker's log has more"
        text = f"{said} ({error})"
    stay = Park(last_place(journal), retry.at(now), track.exits.patterns, None, "stuck")
    return Decision((), stay, (said,)), Trouble(retry.since or now, text)


async def write_trouble(connection: AsyncConnection, enrolment_id: str, lead_id: str, trouble: Trouble) -> None:
    """Raise the one alert of a stuck journey; its head is written by the caller."""
    await raise_alert(connection, enrolment_id, lead_id, STUCK, f"stuck: {trouble.text}", trouble.since, replace=True)


async def stuck_by_track(session: AsyncSession) -> dict[str, int]:
    """How many journeys of each track are stuck."""
    query = select(Enrolment.track, func.count()).where(Enrolment.stuck_since.is_not(None)).group_by(Enrolment.track)
    return dict((await session.execute(query)).all())


class NoticeStuckSteps(Interceptor):
    """Notes on the journey that its present step keeps failing, or never ends."""

    def __init__(self, database: Database, time: LiveClock) -> None:
        self.database = database
        self.time = time

    def intercept_activity(self, following: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Watch each try of a step."""
        return _Watching(following, self.database, self.time)


class _Watching(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, database: Database, time: LiveClock) -> None:
        super().__init__(following)
        self.database = database
        self.time = time

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
        attempt = activity.info().attempt
        if attempt == NOTED_FROM:  # that a try never ended is seen by nobody but the next
            await self._note(input.args, f"{NOTED_FROM - 1} tries have failed or did not end in time")
        try:
            return await super().execute_activity(input)
        except CancelledError:
            raise
        except ApplicationError as error:
            if attempt >= NOTED_FROM and error.type not in PATIENT:
                await self._note(input.args, error.message)
            raise
        except Exception as error:
            if attempt >= NOTED_FROM:
                await self._note(input.args, f"{type(error).__name__}: {error}")
            raise

    async def _note(self, args: Sequence[Any], text: str) -> None:
        order = _order_of(args)
        if order is None:
            return
        name = activity.info().activity_type
        now = self.time.now()
        said = f"the step {name} keeps failing: {text}"
        with suppress(Exception):  # if the database is away, that is what the try fails for
            async with self.database.transaction() as connection:
                await connection.execute(_NOTE, {"enrolment": order.enrolment_id, "text": said, "at": now})
                await write_trouble(connection, order.enrolment_id, order.lead_id, Trouble(now, said))


def _order_of(args: Sequence[Any]) -> StepOrder | DoOrder | None:
    """What the activity was told to do; of an activity that nobody has, the raw input is there."""
    given = args[0] if args else None
    if isinstance(given, Sequence) and given and isinstance(given[0], RawValue):
        order: DoOrder = activity.payload_converter().from_payload(given[0].payload, DoOrder)
        return order
    return given if isinstance(given, StepOrder | DoOrder) else None
