"""From a reported behaviour to the journeys: record it, then tell those that listen for it.

What is recorded and not yet told waits in the outbox (`models.intake.Event`), so a Temporal that is away loses nothing.
A parked journey has said what it listens for; any other behaviour waits in `unheard` for its next decision.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client
from temporalio.service import RPCError

from models.messages import Behaviour, Behaviours, Request
from nurture.errors import InputError, RefusedError
from nurture.journey.refs import is_strangers, ref_of
from nurture.people.behaviours import behaviour_kind
from nurture.people.scoring import ScoringModel
from perennial.intake import own
from perennial.intake.history import HISTORY_AFTER, History
from perennial.intake.lost import keep_for
from perennial.intake.outbox import CHANNEL, accept
from perennial.intake.recording import Recorder
from perennial.intake.reports import LONGEST_REPORT_ID, Receipt, Report
from perennial.journeys.enrolling import Enroller
from perennial.journeys.handles import signal_journey, workflow_of
from perennial.leads.behaviours import DAY
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database
from perennial.platform.temporal import is_not_found


@dataclass(frozen=True)
class Listener:
    """Takes reports of behaviours, and tells the journeys."""

    database: Database
    client: Client
    enroller: Enroller
    scoring: ScoringModel
    history_after: timedelta = HISTORY_AFTER

    @property
    def recorder(self) -> Recorder:
        """What records behaviours, for the tracks of today."""
        history = History(self.history_after, self.enroller.clock)
        return Recorder(self.scoring, self.enroller.tracks, history)

    async def take(self, report: Report) -> Receipt:
        """Record one behaviour, tell the lead's journeys, and start the tracks it enters.

        Safe to repeat: the database and the journeys each take an id once. If Temporal is away, the behaviour waits
        in the outbox, and the relay tells it later.
        Raises InputError for an unknown behaviour, NotFoundError for an unknown lead.
        """
        receipt = await keep_report(self.database, self.recorder, report, LiveClock(self.enroller.clock).now())
        await self.tell_stored(receipt)
        return receipt

    async def tell_stored(self, receipt: Receipt) -> None:
        """Tell the journeys of a behaviour that is in the outbox, and take it off. Raises as `tell` does."""
        if not await self.tell([receipt]):
            async with self.database.transaction() as connection:
                await connection.execute(own.MARK_DONE, {"event": receipt.report.id})

    async def record(self, session: AsyncSession, reports: Sequence[Report]) -> list[Receipt]:
        """Record behaviours in the caller's transaction; the receipts say what to `tell` once that is committed."""
        now = LiveClock(self.enroller.clock).now()
        return await self.recorder.record(session, reports, now)

    async def tell(self, receipts: Iterable[Receipt]) -> list[str]:
        """Tell the journeys, each by one signal, in the order given; then start the tracks entered, from now on.

        The ids of the behaviours that a journey did not hear although it should run: Temporal does not know it. One
        that has ended is no error: the behaviour is recorded. Raises RPCError for all else that Temporal answers.
        """
        bursts: defaultdict[str, list[Behaviour]] = defaultdict(list)
        looking: dict[str, str] = {}
        entering: list[tuple[str, Report]] = []
        for each in receipts:
            for enrolment_id in each.listening:
                bursts[enrolment_id].append(self._signal_of(each, enrolment_id))
            looking |= dict.fromkeys(each.looking, each.report.id)
            entering += [(track, each.report) for track in each.entering]
        unheard: list[str] = []
        for enrolment_id, burst in bursts.items():
            if not await self._signal(enrolment_id, burst):
                now = LiveClock(self.enroller.clock).now()
                unheard += await keep_for(self.database, enrolment_id, [one.id for one in burst], now)
        for enrolment_id, id_ in looking.items():
            if enrolment_id not in bursts:
                await signal_journey(self.client, enrolment_id, "refresh", Request(id=f"score:{id_}"))
        for track, report in entering:
            started_at = LiveClock(self.enroller.clock).on_time(report.at)
            try:
                await self.enroller.enrol(track, report.lead_id, started_at, report.name)
            except RefusedError:
                continue  # a rule of the track keeps the lead out; the behaviour itself is recorded
        return unheard

    def _signal_of(self, receipt: Receipt, enrolment_id: str) -> Behaviour:
        """What a journey is told: a reference for a subject that a stranger worded."""
        report, track = receipt.report, workflow_of(enrolment_id).rpartition("/")[0]
        signal = Behaviour(id=report.id, name=report.name, subject=report.subject, at=report.at, score=receipt.score)
        if not is_strangers(report.name, report.subject):
            return signal
        tracks = self.enroller.tracks
        ends = track in tracks and tracks[track].exits.matches(report.name, report.subject)
        return signal.model_copy(update={"subject": ref_of(report.id), **({"ends": True} if ends else {})})

    async def _signal(self, enrolment_id: str, burst: Sequence[Behaviour]) -> bool:
        """Signal a journey; False if it does not run."""
        handle = self.client.get_workflow_handle(workflow_of(enrolment_id))
        try:
            if len(burst) == 1:
                await handle.signal("behaviour", burst[0])
            else:
                await handle.signal("behaviours", Behaviours(items=tuple(burst)))
        except RPCError as error:
            if not is_not_found(error):
                raise
            return False
        return True


async def keep_report(database: Database, recorder: Recorder, report: Report, now: datetime) -> Receipt:
    """Record one behaviour, and leave it in the outbox; nothing of this needs Temporal.

    Raises InputError for an unknown behaviour, NotFoundError for an unknown lead.
    """
    kind = behaviour_kind(report.name)
    if kind.subject is not None and report.props.keys() - {DAY} and kind.subject not in report.props:
        raise InputError(f"{report.name} is about a {kind.subject}; give --prop {kind.subject}=...")
    if not 0 < len(report.id) <= LONGEST_REPORT_ID:
        raise InputError(f"the id of a behaviour has 1 to {LONGEST_REPORT_ID} characters, not {len(report.id)}")
    async with database.writing() as session:
        (receipt,) = await recorder.record(session, [report], now)
        await accept(session, [own.event_of(report, now)])
    database.announce(CHANNEL)
    return receipt
