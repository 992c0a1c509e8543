"""From a reported behaviour to the journeys: record it once, score it, suppress as it demands, tell the journeys.

What is recorded and not yet told waits in the outbox (`models.intake.Event`), so a Temporal that is away loses nothing.
A parked journey has said what it listens for; any other behaviour waits in `unheard` for its next decision.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from models.journeys import Enrolment
from models.messages import Behaviour, Behaviours
from nurture.errors import InputError, NotFoundError, RefusedError
from nurture.journey.patterns import hears
from nurture.people.behaviours import behaviour_kind
from nurture.people.scoring import ScoringModel
from perennial.intake import own
from perennial.intake.outbox import accept
from perennial.intake.reports import Receipt, Report
from perennial.journeys.enrolling import Enroller
from perennial.journeys.handles import workflow_of
from perennial.journeys.unheard import leave_unheard
from perennial.leads.behaviours import write_behaviour
from perennial.leads.lock import lock_lead
from perennial.leads.lookup import current_lead_id
from perennial.leads.scores import rescore, write_entries
from perennial.leads.suppression import apply_behaviour
from perennial.platform.database import Database

_ENROLMENTS = select(
    Enrolment.id,
    Enrolment.track,
    Enrolment.status,
    Enrolment.started_at,
    Enrolment.listens,
    Enrolment.wakes_at_score,
).where(Enrolment.lead_id == bindparam("lead"))


@dataclass(frozen=True, slots=True)
class ListeningJourney:
    """What decides whether an enrolment's journey is told of a behaviour."""

    id: str
    track: str
    status: str
    started_at: datetime
    listens: Sequence[str] | None
    wakes_at_score: int | None

    def wakes_for(self, report: Report, score: int) -> bool:
        """Whether its journey is told at once."""
        if self.listens is None or hears(self.listens, report.name, report.subject):
            return True
        return self.wakes_at_score is not None and score >= self.wakes_at_score


@dataclass(frozen=True)
class Listener:
    """Takes reports of behaviours, and tells the journeys."""

    database: Database
    client: Client
    enroller: Enroller
    scoring: ScoringModel

    async def take(self, report: Report) -> Receipt:
        """Record one behaviour, tell the lead's journeys, and start the tracks it enters.

        Safe to repeat: the database and the journeys each take an id once. If Temporal is away, the behaviour waits
        in the outbox, and the relay tells it later.
        Raises InputError for an unknown behaviour, NotFoundError for an unknown lead.
        """
        kind = behaviour_kind(report.name)
        if kind.subject is not None and report.props and kind.subject not in report.props:
            raise InputError(f"{report.name} is about a {kind.subject}; give --prop {kind.subject}=...")
        async with self.database.writing() as session:
            receipt = await self.record(session, report)
            await accept(session, [own.event_of(report)])
        await self.tell([receipt])
        async with self.database.transaction() as connection:
            await connection.execute(own.MARK_DONE, {"event": report.id})
        return receipt

    async def record(self, session: AsyncSession, report: Report) -> Receipt:
        """Record a behaviour in the caller's transaction; the receipt says what to `tell` once that is committed."""
        connection = await session.connection()
        lead_id = await self._locked(connection, report.lead_id)
        row = {
            "id": report.id,
            "lead_id": lead_id,
            "name": report.name,
            "subject": report.subject,
            "props": report.props,
            "touch_id": report.touch_id,
            "bot": report.bot,
            "at": report.at,
            "received_at": report.at,
        }
        new = await write_behaviour(connection, row)
        if report.bot:
            # It scores nothing. It may have shown earlier clicks to be a machine's, whose points are gone: score again.
            return Receipt(report, new, (await rescore(connection, self.scoring, lead_id, report.at)).total)
        if new:
            await self._score(connection, report, lead_id)
            await apply_behaviour(session, lead_id, report.name, report.at)
        score = await rescore(connection, self.scoring, lead_id, report.at)
        journeys = [ListeningJourney(*each) for each in await connection.execute(_ENROLMENTS, {"lead": lead_id})]
        running = [each for each in journeys if each.status != "finished"]
        told = [each for each in running if each.wakes_for(report, score.total)]
        await leave_unheard(connection, report.id, [each.id for each in running if each not in told])
        return Receipt(
            report,
            new,
            score.total,
            tuple(workflow_of(each.id) for each in told),
            self._entering(report, journeys),
            len(running) - len(told),
        )

    async def _locked(self, connection: AsyncConnection, lead_id: str) -> str:
        """Lock the lead of this id, or the one it was merged into; its id."""
        found = await current_lead_id(connection, lead_id)
        if found is None:
            raise NotFoundError(f"no lead {lead_id!r}")
        await lock_lead(connection, found)
        return found

    async def tell(self, receipts: Iterable[Receipt]) -> None:
        """Tell the journeys, each by one signal, in the order given; then start the tracks entered.

        Raises RPCError if Temporal is away. A journey that has ended is no error: the behaviour is recorded.
        """
        bursts: defaultdict[str, list[Behaviour]] = defaultdict(list)
        entering: list[tuple[str, Report]] = []
        for each in receipts:
            for workflow in each.workflows:
                bursts[workflow].append(_signal_of(each))
            entering += [(track, each.report) for track in each.entering]
        for workflow, burst in bursts.items():
            await self._signal(workflow, burst)
        for track, report in entering:
            try:
                await self.enroller.enrol(track, report.lead_id, report.at, report.name)
            except RefusedError:
                continue  # a rule of the track keeps the lead out; the behaviour itself is recorded

    async def _score(self, connection: AsyncConnection, report: Report, lead_id: str) -> None:
        entries = self.scoring.engagement_entries(report.id, report.name, report.subject, report.at)
        await write_entries(connection, [(lead_id, entry) for entry in entries])

    def _entering(self, report: Report, journeys: Sequence[ListeningJourney]) -> tuple[str, ...]:
        """The tracks this behaviour starts, except those the lead is on, or has entered since."""
        taken = {each.track for each in journeys if each.status != "finished" or each.started_at >= report.at} - {
            each.track for each in journeys if each.status == "starting"
        }
        return tuple(
            track.name
            for track in self.enroller.tracks.values()
            if taken.isdisjoint(track.names) and track.enters_on.matches(report.name, report.subject)
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


def _signal_of(receipt: Receipt) -> Behaviour:
    report = receipt.report
    return Behaviour(id=report.id, name=report.name, subject=report.subject, at=report.at, score=receipt.score)
