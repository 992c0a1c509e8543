"""Record what leads did: a batch in a few statements, however many leads it is about.

Recorded means: stored once, scored, suppressed as it demands, and left for the journeys that do not listen for it. What
the others are told is in the receipts, to be told once the transaction is committed.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from models.journeys import Enrolment
from nurture.errors import NotFoundError
from nurture.journey.patterns import hears
from nurture.journey.track import Registry
from nurture.people.scoring import ScoringModel
from perennial.intake.history import History
from perennial.intake.reports import Receipt, Report
from perennial.journeys.unheard import leave_unheard
from perennial.leads.behaviours import write_new
from perennial.leads.lock import lock_leads
from perennial.leads.lookup import current_leads
from perennial.leads.scores import rescore_leads, write_entries
from perennial.leads.suppression import SUPPRESSES, NewSuppression, apply_behaviour, not_undone
from perennial.platform.database import in_parts

_ENROLMENTS = select(
    Enrolment.lead_id,
    Enrolment.id,
    Enrolment.track,
    Enrolment.status,
    Enrolment.started_at,
    Enrolment.listens,
    Enrolment.wakes_at_score,
)


@dataclass(frozen=True, slots=True)
class ListeningJourney:
    """What decides whether an enrolment's journey is told of a behaviour."""

    id: str
    track: str
    status: str
    started_at: datetime
    listens: Sequence[str] | None
    wakes_at_score: int | None

    def looks_at(self, score: int) -> bool:
        """Whether a score of that height is news to its journey."""
        return self.listens is None or (self.wakes_at_score is not None and score >= self.wakes_at_score)

    def wakes_for(self, report: Report, score: int, tracks: Registry) -> bool:
        """Whether its journey is told at once: of what it rests for, and of what ends its track by today's code."""
        if self.listens is not None and hears(self.listens, report.name, report.subject):
            return True
        if self.track in tracks and tracks[self.track].exits.matches(report.name, report.subject):
            return True
        return self.looks_at(score)


@dataclass(frozen=True)
class Recorder:
    """Records reports in the caller's transaction."""

    scoring: ScoringModel
    tracks: Registry
    history: History = field(default_factory=History)

    async def record(self, session: AsyncSession, reports: Sequence[Report], now: datetime) -> list[Receipt]:
        """Record behaviours; a receipt for each, in order. Raises NotFoundError for a lead that nobody knows.

        Scores are as of `now`, also for behaviours that come late; of one that is ahead of our clock, as of then.
        """
        if not reports:
            return []
        connection = await session.connection()
        leads = await self._locked(connection, [report.lead_id for report in reports])
        new = await write_new(connection, [_row(report, leads[report.lead_id], now) for report in reports])
        fresh = [report for report in reports if report.id in new]
        await self._enter(session, fresh, leads)
        moments: dict[str, datetime] = {}
        for report in reports:
            lead_id = leads[report.lead_id]
            moments[lead_id] = max(moments.get(lead_id, now), report.at)
        scores = await rescore_leads(connection, self.scoring, moments)
        journeys = await _journeys(connection, sorted(moments))
        stops = await _stopping(session, reports, leads)
        receipts, unheard = [], []
        for report in reports:
            lead_id = leads[report.lead_id]
            receipt = Receipt(report, report.id in new, scores[lead_id].total)
            receipt, waiting = self._addressed(receipt, journeys[lead_id], now, stops=report.id in stops)
            receipts.append(receipt)
            unheard += [(report.id, enrolment_id) for enrolment_id in waiting]
        await leave_unheard(connection, unheard)
        return receipts

    async def _locked(self, connection: AsyncConnection, lead_ids: Sequence[str]) -> Mapping[str, str]:
        """Lock the leads of these ids, or those they were merged into; the ids of those, by the ids given."""
        found = await current_leads(connection, set(lead_ids))
        if missing := next((lead_id for lead_id in lead_ids if lead_id not in found), None):
            raise NotFoundError(f"no lead {missing!r}")
        await lock_leads(connection, set(found.values()))
        return found

    async def _enter(self, session: AsyncSession, reports: Sequence[Report], leads: Mapping[str, str]) -> None:
        """Enter the points of new behaviours, and suppress as they demand. A machine's scores nothing."""
        people = [report for report in reports if not report.bot]
        await write_entries(
            session,
            [
                (leads[report.lead_id], entry)
                for report in people
                for entry in self.scoring.engagement_entries(report.id, report.name, report.subject, report.at)
            ],
        )
        for report in people:
            if report.name in SUPPRESSES:
                await apply_behaviour(session, leads[report.lead_id], report.name, report.at)

    def _addressed(
        self, receipt: Receipt, journeys: Sequence[ListeningJourney], now: datetime, *, stops: bool
    ) -> tuple[Receipt, list[str]]:
        """The receipt with whom to tell, and the enrolments that read the behaviour at their next decision.

        What `stops` mail ends journeys however old it is: to us it is news that the lead wants none. Once that is
        undone, it is history.
        """
        report = receipt.report
        if report.bot:
            return receipt, []
        history = self.history.holds(report, now) or (report.name in SUPPRESSES and not stops)
        running = [each for each in journeys if each.status != "finished"]
        if not stops:
            before = [each for each in running if history or self.history.is_before(report, each.started_at)]
            running = [each for each in running if each not in before]
            looking = [] if history else [each.id for each in before if each.looks_at(receipt.score)]
            receipt = replace(receipt, looking=tuple(looking), history=history)
        told = [each for each in running if each.wakes_for(report, receipt.score, self.tracks)]
        waiting = [each.id for each in running if each not in told]
        entering = () if history else self._entering(report, journeys)
        listening = tuple(each.id for each in told)
        return replace(receipt, listening=listening, entering=entering, waiting=len(waiting)), waiting

    def _entering(self, report: Report, journeys: Sequence[ListeningJourney]) -> tuple[str, ...]:
        """The tracks this behaviour starts, except those the lead is on, or has entered since."""
        taken = {each.track for each in journeys if each.status != "finished" or each.started_at >= report.at} - {
            each.track for each in journeys if each.status == "starting"
        }
        return tuple(
            track.name
            for track in self.tracks.values()
            if taken.isdisjoint(track.names) and track.enters_on.matches(report.name, report.subject)
        )


async def _journeys(connection: AsyncConnection, lead_ids: Sequence[str]) -> dict[str, list[ListeningJourney]]:
    found: defaultdict[str, list[ListeningJourney]] = defaultdict(list)
    for part in in_parts(lead_ids):
        for lead_id, *rest in await connection.execute(_ENROLMENTS.where(Enrolment.lead_id.in_(part))):
            found[lead_id].append(ListeningJourney(*rest))
    return found


async def _stopping(session: AsyncSession, reports: Sequence[Report], leads: Mapping[str, str]) -> set[str]:
    """The reports that stop mail to their leads, and that nobody has undone since."""
    stopping = [report for report in reports if report.name in SUPPRESSES and not report.bot]
    told = [NewSuppression(leads[one.lead_id], SUPPRESSES[one.name], one.id, one.at) for one in stopping]
    return {one.source for one in await not_undone(session, told)}


def _row(report: Report, lead_id: str, now: datetime) -> dict[str, object]:
    return {
        "id": report.id,
        "lead_id": lead_id,
        "name": report.name,
        "subject": report.subject,
        "props": report.props,
        "touch_id": report.touch_id,
        "bot": report.bot,
        "at": report.at,
        "received_at": report.received_at or now,
    }
