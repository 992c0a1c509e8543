"""Held leads: an edit of their track left them without a place, and nothing is sent until they are released."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex

from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client

from models.journeys import Enrolment
from models.messages import JournalView, Release
from nurture.bench.steps import steps_of
from nurture.content.catalogue import Catalogue
from nurture.errors import InputError, RefusedError
from nurture.journey.decision import Finish, Park
from nurture.journey.facts import Done, Released
from nurture.journey.journal import Journal
from nurture.journey.keys import Key
from nurture.journey.plan import plan
from nurture.journey.track import Track
from nurture.journey.wording import say_key, say_next
from perennial.journeys.asked import keep_reason
from perennial.journeys.handles import update_journey, view_journey
from perennial.journeys.words import words_of
from perennial.platform.database import Database

_IS_HELD = Enrolment.status == literal_column("'held'")  # spelled out, so that the index of held leads is used


@dataclass(frozen=True, slots=True)
class HeldJourney:
    """A journey that is held: its enrolment, and where its lead stood, in words."""

    id: str
    lead_id: str
    track: str
    place: str


async def held_by_track(session: AsyncSession) -> dict[str, int]:
    """How many journeys of each track are held."""
    query = select(Enrolment.track, func.count()).where(_IS_HELD).group_by(Enrolment.track)
    return dict((await session.execute(query)).all())


async def held_journeys(
    session: AsyncSession, *, tracks: Collection[str] = (), lead_id: str | None = None
) -> list[HeldJourney]:
    """The held journeys on tracks of these names (none given: on any), of one lead or of all."""
    query = select(Enrolment.id, Enrolment.lead_id, Enrolment.track, Enrolment.step).where(_IS_HELD)
    if tracks:
        query = query.where(Enrolment.track.in_(tracks))
    if lead_id is not None:
        query = query.where(Enrolment.lead_id == lead_id)
    rows = await session.execute(query.order_by(Enrolment.id))
    return [HeldJourney(id_, lead, track, say_place(step)) for id_, lead, track, step in rows]


def say_place(key: str) -> str:
    """Where a step's key stands in the track, in words: `send:tip~2/wait` is "wait after send tip"."""
    return say_key(Key.parse(key).place)


def step_named(name: str, track: Track, catalogue: Catalogue) -> str:
    """The step of a track that people call `send:tip`, `send tip` or `tip`: `send:tip`.

    Raises InputError, listing the track's steps, if it has none of that name or several.
    """
    steps = steps_of(track, catalogue)
    wanted = name.strip().casefold()
    found = [step for step in steps if wanted in {step.casefold(), Key.parse(step).subject.casefold(), say_key(step)}]
    if not found:  # a piece that the leads tried out were not given
        found = [step for step in (f"send:{each}" for each in catalogue.pieces) if wanted in {step, step[5:]}]
    match found:
        case [step]:
            return step
        case []:
            raise InputError(f"{track.name} has no step {name!r}; it has {', '.join(steps) or 'none'}")
        case _:
            raise InputError(f"{track.name} has several steps {name!r}; say which of {', '.join(found)}")


def try_release(track: Track, view: JournalView, release: Release, now: datetime, catalogue: Catalogue) -> str:
    """Release a held lead in memory only; what would come next for it, in words.

    Raises RefusedError if it is not held, or would still have no place.
    """
    if not (isinstance(view.next, Park) and view.next.why == "held"):
        raise RefusedError(f"the lead is not held: it stands at {say_next(view.next) if view.next else 'the start'}")
    released = Released(max(now, view.now), release.step, release.end)
    journal = Journal(view.facts, view.decided).extended([released])
    decision = plan(track, journal, released.at, catalogue)
    following = decision.next
    if isinstance(following, Park) and following.why == "held":
        raise RefusedError(f"the track leads this lead to no {say_key(release.step)}")
    done = {Key.parse(fact.key).name for fact in view.facts if isinstance(fact, Done) and fact}
    again = not isinstance(following, Park | Finish) and Key.parse(following.key).name in done
    return say_next(following) + (", which this lead has had already" if again else "")


async def release_lead(  # noqa: PLR0917 - whom, how, and by which programme
    client: Client,
    database: Database,
    journey: HeldJourney,
    release: Release,
    track: Track,
    catalogue: Catalogue,
    now: datetime,
    *,
    dry_run: bool,
) -> str:
    """Put a held lead on its way, unless this is a dry run; what comes next for it, in words.

    Raises RefusedError if it is not held, or would have no place there, NoAnswerError if it does not answer.
    """
    async with database.reading() as session:
        words = await words_of(session, journey.id)
    view = await view_journey(client, journey.id)
    view = view.model_copy(update={"facts": words.plain_facts(view.facts)})
    expected = try_release(track, view, release, now, catalogue)
    if dry_run:
        return expected
    release = release.model_copy(update={"id": release.id or f"asked:{token_hex(8)}"})
    async with database.transaction() as connection:
        wire = await keep_reason(connection, journey.id, release)
    return await update_journey(client, journey.id, "release", wire)
