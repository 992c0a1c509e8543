"""Play the world outside: enrol a demo's leads as weeks pass, and let them, and sales, behave as the model says.

Look at what went out (the ledger of touches, the hand-offs), ask the model what comes of it, and report each behaviour
when its time has come, as any other source would.
"""

import asyncio
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2s
from typing import Any, TypeAlias, assert_never

from sqlalchemy import BindParameter, Row, Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.journeys import DecisionRow, Enrolment, HandOffRow
from models.touches import Touch
from models.types import UtcDateTime
from nurture.bench.behaviour_model import BehaviourModel, PlannedBehaviour
from nurture.errors import RefusedError
from nurture.people.behaviours import behaviour_kind
from perennial.app.connected import ConnectedInstallation
from perennial.intake.reports import Report

POLL = 0.15
"""Real seconds between two looks at the ledger."""

_NEVER = datetime.max.replace(tzinfo=UTC)

AT_ONCE = 8
"""How many leads act at the same time; what one lead does stays in order."""


_SINCE = bindparam("since", type_=UtcDateTime())
_NEW: BindParameter[list[str]] = bindparam("new", expanding=True)
_TOUCH_IDS = select(Touch.id).where(Touch.at >= _SINCE, Touch.state == "accepted")
_OFFER_IDS = select(HandOffRow.id).where(HandOffRow.at >= _SINCE)
_TOUCHES = select(Touch.id, Touch.lead_id, Touch.enrolment_id, Touch.step_key, Touch.piece, Touch.at).where(
    Touch.id.in_(_NEW)
)
_OFFERS = select(HandOffRow.id, HandOffRow.lead_id, HandOffRow.enrolment_id, HandOffRow.step_key, HandOffRow.at).where(
    HandOffRow.id.in_(_NEW)
)
_JOURNEYS = select(
    select(func.max(DecisionRow.at)).where(DecisionRow.enrolment_id == Enrolment.id).scalar_subquery(),
    Enrolment.next_at,
).where(Enrolment.lead_id == bindparam("lead"))


@dataclass(frozen=True, slots=True)
class ScheduledEnrolment:
    """A lead to enrol at a moment. `name` seeds its behaviour: unlike the id, it is the same in every demo."""

    lead_id: str
    name: str
    track: str
    cause: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ScheduledBehaviour:
    """What a lead, or sales about it, will do at a moment; `touch_id` is the touch that it answers, if any."""

    lead_id: str
    planned: PlannedBehaviour
    at: datetime
    touch_id: str | None = None


Scheduled: TypeAlias = ScheduledEnrolment | ScheduledBehaviour


@dataclass(slots=True)
class World:
    """One demo's world. `refused` counts why leads were not enrolled, `reported` what the leads did."""

    inst: ConnectedInstallation
    model: BehaviourModel
    refused: Counter[str] = field(default_factory=Counter)
    reported: int = 0
    _agenda: list[tuple[datetime, int, Scheduled]] = field(default_factory=list)
    _count: int = 0
    _names: dict[str, str] = field(default_factory=dict)
    _until: datetime = _NEVER
    _seen: set[str] = field(default_factory=set)

    async def play(self, enrolments: Sequence[ScheduledEnrolment], until: datetime) -> None:
        """Let everything happen that is due before `until`, as its time comes."""
        self._until = until
        self._names = {enrolment.lead_id: enrolment.name for enrolment in enrolments}
        self._schedule(enrolments)
        while (now := self.inst.now()) < until:
            await self._answer_what_is_new(now)
            await self._carry_out(self._due(now))
            await asyncio.sleep(POLL)

    def _schedule(self, items: Iterable[Scheduled]) -> None:
        for item in items:
            self._count += 1
            heapq.heappush(self._agenda, (item.at, self._count, item))

    def _due(self, now: datetime) -> list[Scheduled]:
        due: list[Scheduled] = []
        while self._agenda and self._agenda[0][0] <= now:
            due.append(heapq.heappop(self._agenda)[2])
        return due

    async def _answer_what_is_new(self, now: datetime) -> None:
        """Schedule what comes of new touches and new offers to sales."""
        # A step is stamped with the time it was due, and may be carried out up to the grace later.
        since = now - timedelta(seconds=(self.inst.clock.grace.total_seconds() + 2) * self.inst.clock.speed)
        async with self.inst.database.reading() as session:
            connection = await session.connection()
            touches = await self._unseen(connection, since, _TOUCH_IDS, _TOUCHES)
            offers = await self._unseen(connection, since, _OFFER_IDS, _OFFERS)
        for touch, lead_id, enrolment, step, piece, at in touches:
            if lead_id in self._names:
                cause = _cause(enrolment, lead_id, step)
                plans = self.model.after_touch(self._names[lead_id], cause, piece, at)
                self._schedule(ScheduledBehaviour(lead_id, plan, plan.at, touch) for plan in plans)
        for _, lead_id, enrolment, step, at in offers:
            if lead_id in self._names:
                cause = _cause(enrolment, lead_id, step)
                plans = self.model.after_hand_off(self._names[lead_id], cause, at)
                self._schedule(ScheduledBehaviour(lead_id, plan, plan.at) for plan in plans)

    async def _unseen(
        self, connection: AsyncConnection, since: datetime, ids: Select[str], rows: Select[*tuple[Any, ...]]
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        """The rows that no earlier look has found. Most looks find none, and the ids alone tell that."""
        new = set(await connection.scalars(ids, {"since": since})) - self._seen
        self._seen |= new
        return (await connection.execute(rows, {"new": sorted(new)})).all() if new else ()

    async def _carry_out(self, due: Sequence[Scheduled]) -> None:
        """Let it happen: a few leads at a time, and for each lead in order."""
        by_lead: dict[str, list[Scheduled]] = defaultdict(list)
        for item in due:
            by_lead[item.lead_id].append(item)
        slots = asyncio.Semaphore(AT_ONCE)

        async def for_one_lead(items: list[Scheduled]) -> None:
            async with slots:
                for item in items:
                    if self.inst.now() >= self._until:
                        return  # the months are over, also on a machine that is behind
                    match item:
                        case ScheduledEnrolment():
                            await self._enrol(item)
                        case ScheduledBehaviour():
                            await self._report(item)
                        case _:
                            assert_never(item)

        async with asyncio.TaskGroup() as group:
            for items in by_lead.values():
                group.create_task(for_one_lead(items))

    async def _enrol(self, enrolment: ScheduledEnrolment) -> None:
        try:
            await self.inst.enroller.enrol(enrolment.track, enrolment.lead_id, enrolment.at, enrolment.cause)
        except RefusedError as error:
            self.refused[str(error)] += 1
            return
        visits = self.model.after_enrolment(enrolment.name, enrolment.track, enrolment.at)
        self._schedule(ScheduledBehaviour(enrolment.lead_id, visit, visit.at) for visit in visits)

    async def _report(self, behaviour: ScheduledBehaviour) -> None:
        planned = behaviour.planned
        subject = behaviour_kind(planned.name).subject
        props = {subject: planned.subject} if subject and planned.subject else {}
        if planned.name == "deal.won":
            props |= {"amount": str(_worth(planned.id)), "currency": "EUR"}
        at = await self._time_of(behaviour)
        await self.inst.listener.take(
            Report(planned.id, behaviour.lead_id, planned.name, props, at, behaviour.touch_id)
        )
        self.reported += 1

    async def _time_of(self, planned: ScheduledBehaviour) -> datetime:
        """When it was planned; or now, if the lead's journeys went on meanwhile, as nothing happens in their past.

        At two days a second, being a tenth of a second late is five hours to them.
        """
        async with self.inst.database.reading() as session:
            journeys = await (await session.connection()).execute(_JOURNEYS, {"lead": planned.lead_id})
        now = self.inst.now()
        went_on = any(
            (decided is not None and decided > planned.at) or (due is not None and due <= now)
            for decided, due in journeys
        )
        return now if went_on else planned.at


def _worth(behaviour_id: str) -> int:
    """What a deal is worth, in euros: 4,000 to 40,000, the same in every demo of one seed."""
    return 4_000 + 100 * (int.from_bytes(blake2s(behaviour_id.encode(), digest_size=4).digest()) % 361)


def _cause(enrolment_id: str, lead_id: str, step_key: str) -> str:
    """A touch's name without the ids that differ from demo to demo."""
    return f"{enrolment_id.replace(lead_id, '')}/{step_key}"
