"""Plays the leads of a demo: enrols them as weeks pass, and lets them, and sales, behave as the model says.

It stands where the world stands. It looks at what went out (the ledger of touches, the hand-offs), asks the model
what comes of it, and reports each behaviour, when its time has come, by the one way in: `Listener.take`.
"""

import asyncio
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, Row, Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.journeys import DecisionRow, Enrolment, HandOffRow
from models.touches import Touch
from models.types import UtcDateTime
from nurture.bench.behaviour_model import BehaviourModel, PlannedBehaviour
from nurture.errors import RefusedError
from nurture.people.behaviours import behaviour_kind
from perennial.app.installation import ConnectedInstallation
from perennial.intake.reports import Report

POLL = 0.15
"""Real seconds between two looks at the ledger."""

_NEVER = datetime.max.replace(tzinfo=UTC)

AT_ONCE = 8
"""How many leads act at the same time, each one's acts in order."""


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
class Entrance:
    """A lead to enrol at a moment. `name` is stable from demo to demo, as the id is not, and seeds its behaviour."""

    lead_id: str
    name: str
    track: str
    cause: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Deed:
    """What a lead, or sales about it, will do at a moment; `touch_id` is what it answers, if it is a touch."""

    lead_id: str
    planned: PlannedBehaviour
    at: datetime
    touch_id: str | None = None


Act: TypeAlias = Entrance | Deed


@dataclass(slots=True)
class Driver:
    """One demo's world. `refused` counts why leads were not enrolled, `delays` are the real seconds acts came late."""

    inst: ConnectedInstallation
    model: BehaviourModel
    refused: Counter[str] = field(default_factory=Counter)
    delays: list[float] = field(default_factory=list)
    heard: int = 0
    _agenda: list[tuple[datetime, int, Act]] = field(default_factory=list)
    _count: int = 0
    _names: dict[str, str] = field(default_factory=dict)
    _until: datetime = _NEVER
    _seen: set[str] = field(default_factory=set)

    async def play(self, entrances: Sequence[Entrance], until: datetime) -> None:
        """Let everything happen that is due before `until`, as its time comes."""
        self._until = until
        self._names = {entrance.lead_id: entrance.name for entrance in entrances}
        self._plan(entrances)
        while (now := self.inst.now()) < until:
            await self._look(now)
            await self._act(self._due(now))
            await asyncio.sleep(POLL)

    def _plan(self, acts: Iterable[Act]) -> None:
        for act in acts:
            self._count += 1
            heapq.heappush(self._agenda, (act.at, self._count, act))

    def _due(self, now: datetime) -> list[Act]:
        due: list[Act] = []
        while self._agenda and self._agenda[0][0] <= now:
            due.append(heapq.heappop(self._agenda)[2])
        return due

    async def _look(self, now: datetime) -> None:
        """Plan what comes of the touches and the offers to sales that are new."""
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
                self._plan(Deed(lead_id, plan, plan.at, touch) for plan in plans)
        for _, lead_id, enrolment, step, at in offers:
            if lead_id in self._names:
                cause = _cause(enrolment, lead_id, step)
                plans = self.model.after_hand_off(self._names[lead_id], cause, at)
                self._plan(Deed(lead_id, plan, plan.at) for plan in plans)

    async def _unseen(
        self, connection: AsyncConnection, since: datetime, ids: Select[str], rows: Select[*tuple[Any, ...]]
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        """The rows that no earlier look has found: most looks find none, and need only the ids to know it."""
        new = set(await connection.scalars(ids, {"since": since})) - self._seen
        self._seen |= new
        return (await connection.execute(rows, {"new": sorted(new)})).all() if new else ()

    async def _act(self, acts: Sequence[Act]) -> None:
        """Let acts happen: a few leads at a time, each one's in order."""
        by_lead: dict[str, list[Act]] = defaultdict(list)
        for act in acts:
            by_lead[act.lead_id].append(act)
        places = asyncio.Semaphore(AT_ONCE)

        async def of_one(its: list[Act]) -> None:
            async with places:
                for act in its:
                    if self.inst.now() >= self._until:
                        return  # the months are over, also on a machine that is behind
                    await self._enrol(act) if isinstance(act, Entrance) else await self._tell(act)
                    late = self.inst.time.wall() - self.inst.clock.real_at(act.at)
                    self.delays.append(late.total_seconds())

        async with asyncio.TaskGroup() as group:
            for its in by_lead.values():
                group.create_task(of_one(its))

    async def _enrol(self, entrance: Entrance) -> None:
        try:
            await self.inst.enroller.enrol(entrance.track, entrance.lead_id, entrance.at, entrance.cause)
        except RefusedError as error:
            self.refused[str(error)] += 1
            return
        visits = self.model.after_enrolment(entrance.name, entrance.track, entrance.at)
        self._plan(Deed(entrance.lead_id, visit, visit.at) for visit in visits)

    async def _tell(self, deed: Deed) -> None:
        planned = deed.planned
        subject = behaviour_kind(planned.name).subject
        props = {subject: planned.subject} if subject and planned.subject else {}
        at = await self._moment_of(deed)
        await self.inst.listener.take(Report(planned.id, deed.lead_id, planned.name, props, at, deed.touch_id))
        self.heard += 1

    async def _moment_of(self, planned: Deed) -> datetime:
        """When it was planned; or now, if the lead's journeys went on meanwhile: nothing happens in their past.

        At two days a second, the tenth of a second that this driver is late is five hours to them.
        """
        async with self.inst.database.reading() as session:
            journeys = await (await session.connection()).execute(_JOURNEYS, {"lead": planned.lead_id})
        now = self.inst.now()
        went_on = any(
            (decided is not None and decided > planned.at) or (due is not None and due <= now)
            for decided, due in journeys
        )
        return now if went_on else planned.at


def _cause(enrolment_id: str, lead_id: str, step_key: str) -> str:
    """A touch's name without the ids that differ from demo to demo."""
    return f"{enrolment_id.replace(lead_id, '')}/{step_key}"
