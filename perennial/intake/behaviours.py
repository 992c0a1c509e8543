"""From a behaviour in the world to the journeys that hear of it: recorded once, scored, acted on, then told.

What is recorded and not yet told stays in the outbox (`models.intake.Event`), so a Temporal that is away loses nothing.
A parked journey has said what it listens for; any other behaviour waits in `unheard` for its next decision.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from models.intake import Event
from models.journeys import Enrolment, Unheard
from models.leads import BehaviourRow, ScoreEntry
from models.messages import Behaviour, Behaviours
from nurture.errors import InputError, NotFoundError, RefusedError
from nurture.journey.patterns import hears
from nurture.people.behaviours import behaviour_kind
from nurture.people.scoring import ScoringModel
from perennial.intake.outbox import Incoming, accept
from perennial.journeys.enrolling import Enroller
from perennial.leads.identity import current_lead_id
from perennial.leads.lock import lock_lead
from perennial.leads.scores import rescore
from perennial.leads.suppression import apply_behaviour
from perennial.platform.database import Database, upsert_ignore

LONGEST_SUBJECT = 200
_INSERT_BEHAVIOUR = upsert_ignore(BehaviourRow)
_INSERT_ENTRIES = upsert_ignore(ScoreEntry)
_INSERT_UNHEARD = upsert_ignore(Unheard)
_STAYS = select(
    Enrolment.id,
    Enrolment.track,
    Enrolment.status,
    Enrolment.started_at,
    Enrolment.listens,
    Enrolment.wakes_at_score,
).where(Enrolment.lead_id == bindparam("lead"))
OWN = "own"
"""Source of the events that we report ourselves: the command line, the pages, the demo."""

_DONE = update(Event).where(Event.source == OWN, Event.event_id == bindparam("told")).values(state="done")


@dataclass(frozen=True, slots=True)
class Report:
    """A behaviour as it is reported. `id` names it for good: reported twice, it counts once."""

    id: str
    lead_id: str
    name: str
    props: dict[str, Any]
    at: datetime
    touch_id: str | None = None
    bot: bool = False

    @property
    def subject(self) -> str:
        """The one property that journeys match on; empty if the kind has none. A path loses its query."""
        wanted = behaviour_kind(self.name).subject
        value = str(self.props.get(wanted, "")) if wanted else ""
        if wanted == "path":
            value = value.partition("?")[0].partition("#")[0]
        return value[:LONGEST_SUBJECT]


@dataclass(frozen=True, slots=True)
class ListeningJourney:
    """What hearing needs to know of an enrolment."""

    id: str
    track: str
    status: str
    started_at: datetime
    listens: Sequence[str] | None
    wakes_at_score: int | None

    def wakes_for(self, happening: Report, score: int) -> bool:
        """Whether its journey is told at once."""
        if self.listens is None or hears(self.listens, happening.name, happening.subject):
            return True
        return self.wakes_at_score is not None and score >= self.wakes_at_score


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a happening: whether it was new, the score with it, the workflows to tell, the tracks it enters.

    `waiting` counts the journeys that did not listen for it and take it in at their next decision.
    """

    happening: Report
    new: bool
    score: int
    workflows: tuple[str, ...] = ()
    entering: tuple[str, ...] = ()
    waiting: int = 0

    @property
    def running(self) -> tuple[str, ...]:
        """The tracks whose journeys are told at once."""
        return tuple(workflow.partition("/")[0] for workflow in self.workflows)


@dataclass(frozen=True)
class Listener:
    """Takes in what happens, and passes it on."""

    database: Database
    client: Client
    enroller: Enroller
    scoring: ScoringModel

    async def hear(self, happening: Report) -> Receipt:
        """Record one behaviour, then tell the lead's journeys, and start those it enters.

        Safe to repeat: the database and the journeys each take an id once. If Temporal is away it stays in the outbox,
        and the relay tells it later. Raises InputError for an unknown behaviour, NotFoundError for an unknown lead.
        """
        kind = behaviour_kind(happening.name)
        if kind.subject is not None and happening.props and kind.subject not in happening.props:
            raise InputError(f"{happening.name} is about a {kind.subject}; give --prop {kind.subject}=...")
        async with self.database.writing() as session:
            heard = await self.record(session, happening)
            await accept(session, [_outgoing(happening)])
        await self.tell([heard])
        async with self.database.transaction() as connection:
            await connection.execute(_DONE, {"told": happening.id})
        return heard

    async def record(self, session: AsyncSession, happening: Report) -> Receipt:
        """Record a behaviour in the caller's transaction; what is to be told once that has been committed."""
        connection = await session.connection()
        lead_id = await self._locked(connection, happening.lead_id)
        row = {
            "id": happening.id,
            "lead_id": lead_id,
            "name": happening.name,
            "subject": happening.subject,
            "props": happening.props,
            "touch_id": happening.touch_id,
            "bot": happening.bot,
            "at": happening.at,
            "received_at": happening.at,
        }
        new = (await connection.execute(_INSERT_BEHAVIOUR, row)).rowcount == 1
        if happening.bot:
            # It scores nothing, and may have shown earlier clicks to be a machine's: their points are gone.
            return Receipt(happening, new, (await rescore(connection, self.scoring, lead_id, happening.at)).total)
        if new:
            await self._score(connection, happening, lead_id)
            await apply_behaviour(session, lead_id, happening.name, happening.at)
        score = await rescore(connection, self.scoring, lead_id, happening.at)
        stays = [ListeningJourney(*each) for each in await connection.execute(_STAYS, {"lead": lead_id})]
        running = [each for each in stays if each.status != "finished"]
        told = [each for each in running if each.wakes_for(happening, score.total)]
        await self._leave_for_later(connection, happening, [each for each in running if each not in told])
        return Receipt(
            happening,
            new,
            score.total,
            tuple(each.id.rpartition("/")[0] for each in told),
            self._entering(happening, stays),
            len(running) - len(told),
        )

    async def _locked(self, connection: AsyncConnection, lead_id: str) -> str:
        """The lead of this id, or the one that goes on after it was merged, locked."""
        found = await current_lead_id(connection, lead_id)
        if found is None:
            raise NotFoundError(f"no lead {lead_id!r}")
        await lock_lead(connection, found)
        return found

    async def tell(self, heard: Iterable[Receipt]) -> None:
        """Tell the journeys, a burst for one journey in one signal, in the order given; and start those entered.

        Raises RPCError if Temporal is away. A journey that ended meanwhile is no error: what happened is recorded.
        """
        bursts: defaultdict[str, list[Behaviour]] = defaultdict(list)
        entering: list[tuple[str, Report]] = []
        for each in heard:
            for workflow in each.workflows:
                bursts[workflow].append(_signal_of(each))
            entering += [(track, each.happening) for track in each.entering]
        for workflow, burst in bursts.items():
            await self._signal(workflow, burst)
        for track, happening in entering:
            try:
                await self.enroller.enrol(track, happening.lead_id, happening.at, happening.name)
            except RefusedError:
                continue  # a rule of the track keeps the lead out; the behaviour itself is recorded

    async def _score(self, connection: AsyncConnection, happening: Report, lead_id: str) -> None:
        entries = self.scoring.engagement_entries(happening.id, happening.name, happening.subject, happening.at)
        rows = [
            {
                "lead_id": lead_id,
                "rule": entry.rule,
                "behaviour_id": entry.behaviour_id,
                "points": entry.points,
                "reason": entry.reason,
                "at": entry.at,
            }
            for entry in entries
        ]
        if rows:
            await connection.execute(_INSERT_ENTRIES, rows)

    async def _leave_for_later(
        self, connection: AsyncConnection, happening: Report, stays: Sequence[ListeningJourney]
    ) -> None:
        rows = [{"enrolment_id": each.id, "behaviour_id": happening.id, "taken": None} for each in stays]
        if rows:
            await connection.execute(_INSERT_UNHEARD, rows)

    def _entering(self, happening: Report, stays: Sequence[ListeningJourney]) -> tuple[str, ...]:
        """The tracks this behaviour starts, but those the lead is on, or came to since."""
        taken = {each.track for each in stays if each.status != "finished" or each.started_at >= happening.at} - {
            each.track for each in stays if each.status == "starting"
        }
        return tuple(
            track.name
            for track in self.enroller.tracks.values()
            if track.name not in taken and track.enters_on.matches(happening.name, happening.subject)
        )

    async def _signal(self, workflow: str, burst: Sequence[Behaviour]) -> None:
        handle = self.client.get_workflow_handle(workflow)
        try:
            if len(burst) == 1:
                await handle.signal("behaviour", burst[0])
            else:
                await handle.signal("behaviours", Behaviours(items=tuple(burst)))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


def _signal_of(heard: Receipt) -> Behaviour:
    happening = heard.happening
    return Behaviour(
        id=happening.id, name=happening.name, subject=happening.subject, at=happening.at, score=heard.score
    )


def _outgoing(happening: Report) -> Incoming:
    body = {
        "name": happening.name,
        "props": happening.props,
        "at": happening.at.isoformat(),
        "touch_id": happening.touch_id,
        "bot": happening.bot,
    }
    return Incoming(OWN, happening.id, (happening.id,), body, happening.at, lead_id=happening.lead_id)
