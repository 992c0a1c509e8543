"""Read a journey to retrace it with today's code: its workflow's own history, else the database, or a history file."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from temporalio.client import Client

from models.journeys import Enrolment
from nurture.bench.retrace import Retraced, deadline_of, retrace
from nurture.bench.what_if import Upcoming, upcoming
from nurture.content.catalogue import Catalogue
from nurture.errors import InputError, NotFoundError
from nurture.journey.decision import Finish
from nurture.journey.journal import Journal
from nurture.journey.plan import plan
from nurture.journey.track import Registry, Track
from nurture.journey.wording import say_next
from perennial.journeys.handles import workflow_of
from perennial.journeys.histories import ReplayedJourney, fetch_histories, read_history, replay_journey
from perennial.journeys.journal_file import read_journal
from perennial.journeys.past_decisions import past_decisions
from perennial.journeys.story import decisions_of, enrolments_of, journal_of
from perennial.journeys.words import Words, words_of
from perennial.leads.lookup import require_lead
from perennial.platform.database import Database
from perennial.platform.program import command


@dataclass(frozen=True, slots=True)
class RetracedJourney:
    """A journey: where it was read, its journal, its decisions beside today's, and the time it is for it."""

    track: str
    origin: str
    journal: Journal
    retraced: list[Retraced]
    now: datetime


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes next as of a time, and what is to come after if the lead does nothing.

    `read` says how today's code is read over the journal, where the two differ.
    """

    at: datetime
    next: str
    until: datetime | None
    because: tuple[str, ...]
    ahead: tuple[Upcoming, ...] = field(default=())
    read: tuple[str, ...] = ()


def outlook_of(track: Track, journal: Journal, now: datetime, catalogue: Catalogue) -> Outlook:
    """Plan from a journal as of `now`."""
    decision = plan(track, journal, now, catalogue)
    following = decision.next
    ahead = () if isinstance(following, Finish) else tuple(upcoming(track, journal, now, catalogue))
    read = decision.reading.said if decision.reading is not None else ()
    return Outlook(now, say_next(following), deadline_of(following), decision.because, ahead, read)


async def retrace_file(
    path: Path, tracks: Registry, catalogue: Catalogue, database: Database | None = None
) -> RetracedJourney:
    """Retrace a history file, which has references for the words that the database has.

    Raises InputError for one that cannot be read, NotFoundError for an unknown track.
    """
    life = await replay_journey([read_history(path)])
    if database is not None:
        async with database.reading() as session:
            life = in_words(life, await words_of(session, life.enrolment_id))
    earlier = ", its last run" if life.earlier else ""
    return RetracedJourney(
        track=tracks[life.track].name,
        origin=f"the history in {path.name}{earlier}",
        journal=life.journal,
        retraced=retrace(tracks[life.track], life.decisions, catalogue),
        now=life.now or life.journal.last_at,
    )


def retrace_journal(
    path: Path, track: str | None, tracks: Registry, catalogue: Catalogue, now: datetime
) -> RetracedJourney:
    """Retrace the journal in a file.

    Raises InputError for one that cannot be read, NotFoundError for an unknown track.
    """
    found = read_journal(path, track)
    if found.track is None:
        raise InputError(f"{path}: does not say which track it is of; give --track")
    the_track, journal = tracks[found.track], Journal(found.facts, len(found.facts))
    return RetracedJourney(
        track=the_track.name,
        origin=f"the journal in {path.name}",
        journal=journal,
        retraced=retrace(the_track, past_decisions(found.facts, found.decisions), catalogue),
        now=journal.last_at if journal.end is not None else max(now, journal.last_at),
    )


async def retrace_lead(
    database: Database,
    connect: Callable[[], Awaitable[Client | None]],
    name: str,
    *,
    track: str | None,
    tracks: Registry,
    catalogue: Catalogue,
    now: datetime,
) -> RetracedJourney:
    """Retrace a lead's journey on a track, else its running or latest one. Raises NotFoundError if there is none."""
    wanted = tracks[track].name if track is not None else None
    async with database.reading() as session:
        lead = await require_lead(session, name)
        enrolments = await enrolments_of(session, lead.id)
        enrolment = next((each for each in enrolments if wanted in {None, tracks.current(each.track)}), None)
        if enrolment is None:
            was = ", ".join(sorted({each.track for each in enrolments})) or "no track"
            raise NotFoundError(f"{name} has no journey{f' on {wanted}' if wanted else ''}; it has been on {was}")
        facts = await journal_of(session, enrolment.id)
        rows = await decisions_of(session, enrolment.id)
        words = await words_of(session, enrolment.id)
    life = in_words(await _life(enrolment, await connect()), words)
    if life is not None:
        decisions, journal, origin = life.decisions, life.journal, "the workflow's own history"
        # What was compacted away is still in the database.
        journal = Journal(facts, len(facts)) if life.earlier or len(facts) > len(journal) else journal
    elif facts:
        decisions, journal, origin = past_decisions(facts, rows), Journal(facts, len(facts)), "the database"
    else:
        raise NotFoundError(
            f"{name} has no journal on {enrolment.track} yet: it waits for a worker (`{command('worker')}`)"
        )
    return RetracedJourney(
        track=tracks.current(enrolment.track),
        origin=origin,
        journal=journal,
        retraced=retrace(tracks[enrolment.track], decisions, catalogue),
        now=journal.last_at if enrolment.status == "finished" else max(now, journal.last_at),
    )


Life = TypeVar("Life", ReplayedJourney, ReplayedJourney | None)


def in_words(life: Life, words: Words) -> Life:
    """The journey as it was decided, with the words of its references."""
    if life is None:
        return life

    def plain(journal: Journal) -> Journal:
        return Journal(words.plain_facts(journal.facts), journal.decided)

    decisions = [
        replace(
            one,
            journal=plain(one.journal),
            derived=words.plain_facts(one.derived),
            next=words.plain(one.next),
            because=tuple(map(words.plain, one.because)),
        )
        for one in life.decisions
    ]
    return replace(life, journal=plain(life.journal), decisions=decisions)


async def _life(enrolment: Enrolment, client: Client | None) -> ReplayedJourney | None:
    """The journey as its workflow lived it; None without a server, or if its workflow is of another enrolment."""
    histories = [] if client is None else await fetch_histories(client, workflow_of(enrolment.id))
    if not histories:
        return None
    life = await replay_journey(histories)
    return life if life.decisions and life.journal.enrolled.at == enrolment.started_at else None
