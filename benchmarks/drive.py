"""The driver: starts journeys, delivers what each lead does at its place, and watches that sends are on time."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal

from temporalio.service import RPCError

from benchmarks.by_hand import HandJourney
from benchmarks.canonical import Act, timetable
from benchmarks.stand import Cpu, Stand
from models.journeys import Enrolment
from models.leads import BehaviourRow, ScoreEntry
from models.messages import Behaviour
from nurture.people.scoring import DEFAULT_MODEL
from perennial.intake.reports import Report
from perennial.platform.database import upsert_ignore

Variant = Literal["ours", "naive", "optimised", "tuned"]
LATE = timedelta(days=2)
"""On the journeys' clock. While a tenth of the journeys are so late, none is started."""

SENDS = 12


@dataclass(frozen=True, slots=True)
class Round:
    """What one run of a variant came to, counted in sends while the system was full: twelve are a journey.

    `late` are the seconds by which sends came late.
    """

    variant: Variant
    ids: list[str]
    sends: int
    cpu: Cpu
    late: list[float]

    @property
    def journeys(self) -> float:
        """Journeys carried out, by their sends."""
        return self.sends / SENDS

    @property
    def rate(self) -> float:
        """Journeys a second of the wall clock."""
        return self.journeys / self.cpu.at

    @property
    def rate_per_cpu(self) -> float:
        """Journeys a second of CPU, of worker, server and driver together."""
        return self.journeys / self.cpu.total

    @property
    def worker_cpu(self) -> float:
        """Seconds of worker CPU a journey."""
        return self.cpu.worker / self.journeys

    @property
    def server_cpu(self) -> float:
        """Seconds of server CPU a journey."""
        return self.cpu.server / self.journeys

    @property
    def both_cpu(self) -> float:
        """Seconds of CPU of worker and server together, a journey."""
        return self.worker_cpu + self.server_cpu


def workflow_id(variant: Variant, lead_id: str) -> str:
    """The id of a journey of a variant."""
    return f"{'canonical' if variant == 'ours' else variant}/{lead_id}"


@dataclass
class Driver:
    """Drives one variant on a stand.

    Through the listener, behaviours take the project's own way in, which signals ours what it listens for; a journey
    written by hand is then signalled what ends its wait. Else all are signals, whose rows in the score ledger are there
    already, as the web would have written them.
    """

    stand: Stand
    variant: Variant
    through_listener: bool = False
    started: dict[str, datetime] = field(default_factory=dict)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    read: int = 0
    late: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)

    async def fill(self, rate: float, seconds: float) -> Round:
        """Keep the system full: start journeys at `rate` a second, fewer while sends are late.

        Counting begins when the first journeys are near their end, and lasts for `seconds`; journeys that are
        still on their way then are terminated.
        """
        loop = asyncio.get_running_loop()
        pool = await self.stand.add_leads(int(rate * (seconds + self.length)) + 2)
        ids: list[str] = []
        self.read, begun, counted = len(self.stand.heard), loop.time(), 0
        before: Cpu | None = None
        next_at = begun
        while (passed := loop.time() - begun) < self.length + seconds:
            self._listen()
            if before is None and passed >= self.length:
                before, counted = self.stand.cpu(self.variant), len(self.late)
            if pool and loop.time() >= next_at and not self._is_late():
                ids.append(pool.pop())
                self._launch(ids[-1])
                next_at = max(next_at + 1 / rate, loop.time() - 1 / rate)
            await asyncio.sleep(0.01)
        assert before is not None
        cpu = self.stand.cpu(self.variant).since(before)
        self._listen()
        late = self.late[counted:]
        await self._terminate(ids)
        return Round(self.variant, ids, len(late), cpu, late)

    async def run(self, rate: float, count: int) -> Round:
        """Carry out `count` journeys, started at `rate` a second; wait for all to end."""
        self.read = len(self.stand.heard)
        ids = await self.stand.add_leads(count)
        before = self.stand.cpu(self.variant)
        for lead_id in ids:
            self._launch(lead_id)
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*self.running)
        await self._finish(ids)
        cpu = self.stand.cpu(self.variant).since(before)
        self._listen()
        return Round(self.variant, ids, len(self.late), cpu, self.late)

    @cached_property
    def due(self) -> tuple[timedelta, ...]:
        """When each send is due, in real time since the enrolment."""
        clock = self.stand.inst.clock
        return tuple(clock.real_duration(leg.sent_after) for leg in timetable())

    @property
    def length(self) -> float:
        """Seconds from a journey's enrolment to its last send, if all is on time."""
        return self.due[SENDS - 1].total_seconds()

    def _launch(self, lead_id: str) -> None:
        task = asyncio.create_task(self._journey(lead_id))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _finish(self, ids: list[str]) -> None:
        for lead_id in ids:
            handle = self.stand.inst.client.get_workflow_handle(workflow_id(self.variant, lead_id))
            outcome = await asyncio.wait_for(handle.result(), 120)
            if outcome != "nurtured":
                raise RuntimeError(f"{handle.id} ended as {outcome}")

    async def _terminate(self, ids: list[str]) -> None:
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        for lead_id in ids:
            handle = self.stand.inst.client.get_workflow_handle(workflow_id(self.variant, lead_id))
            with suppress(RPCError):  # most have ended
                await handle.terminate("the round is over")

    async def _journey(self, lead_id: str) -> None:
        inst = self.stand.inst
        clock, at = inst.clock, inst.now()
        deliver = self._through_listener if self.through_listener else self._signal
        if not self.through_listener:
            await self._record(lead_id, at)
        self.started[lead_id] = clock.real_at(at)
        await self.enrol(lead_id, at)
        number = 0
        for leg in timetable():
            for act in leg.acts:
                number += 1
                await _until(clock.real_at(at + act.after))
                await deliver(lead_id, f"{lead_id}-{number}", at + act.after, act)

    async def enrol(self, lead_id: str, at: datetime) -> None:
        """Enrol a lead as the project does; for a journey written by hand the same row, and its own start."""
        inst = self.stand.inst
        if self.variant == "ours":
            await inst.enroller.enrol("canonical", lead_id, at, "benchmark")
            return
        enrolment = f"canonical/{lead_id}/1"
        async with inst.database.writing() as session:
            session.add(
                Enrolment(id=enrolment, lead_id=lead_id, track="canonical", number=1, status="active", started_at=at)
            )
        journey = HandJourney(enrolment_id=enrolment, lead_id=lead_id, at=at, clock=inst.clock)
        id_ = workflow_id(self.variant, lead_id)
        await inst.client.start_workflow(self.variant, journey, id=id_, task_queue=self.variant)

    async def _signal(self, lead_id: str, id_: str, at: datetime, act: Act) -> None:
        handle = self.stand.inst.client.get_workflow_handle(workflow_id(self.variant, lead_id))
        behaviour = Behaviour(id=id_, name=act.name, subject=act.subject, at=at, score=act.score)
        await handle.signal("behaviour", behaviour)

    async def _through_listener(self, lead_id: str, id_: str, at: datetime, act: Act) -> None:
        props = {} if act.subject == "" else {_property(act.name): act.subject}
        report, listener = Report(id_, lead_id, act.name, props, at), self.stand.inst.listener
        if self.variant == "ours":
            await listener.take(report)
            return
        async with self.stand.inst.database.writing() as session:
            await listener.record(session, [report])
        if act.ends:
            await self._signal(lead_id, id_, at, act)

    async def _record(self, lead_id: str, start: datetime) -> None:
        """All that the lead will do, in the ledger at once; entries ahead of their time count nothing."""
        rows, scores, number = [], [], 0
        for leg in timetable():
            for act in leg.acts:
                number += 1
                id_, at = f"{lead_id}-{number}", start + act.after
                row = {"id": id_, "lead_id": lead_id, "name": act.name, "subject": act.subject, "props": {}}
                rows.append(row | {"at": at, "received_at": at})
                scores += [
                    {
                        "lead_id": lead_id,
                        "rule": entry.rule,
                        "behaviour_id": id_,
                        "points": entry.points,
                        "reason": entry.reason,
                        "at": at,
                    }
                    for entry in DEFAULT_MODEL.engagement_entries(id_, act.name, act.subject, at)
                ]
        async with self.stand.inst.database.writing() as session:
            await session.execute(upsert_ignore(BehaviourRow), rows)
            await session.execute(upsert_ignore(ScoreEntry), scores)

    def _is_late(self) -> bool:
        """Whether a tenth of the journeys under way are behind the timetable."""
        clock = self.stand.inst.clock
        now = datetime.now(UTC) - clock.real_duration(LATE)
        under_way = behind = 0
        for lead_id, start in self.started.items():
            done = self.counts[lead_id]
            if done < SENDS:
                under_way += 1
                behind += now - start > self.due[done]
        return behind * 10 > under_way

    def _listen(self) -> None:
        """Take in what was heard of sends: when they happened, and how late they were."""
        for sent in self.stand.heard[self.read :]:
            start = self.started.get(sent.lead_id)
            if start is not None:
                self.sent.append(sent.at)
                self.late.append(sent.at - start.timestamp() - self.due[self.counts[sent.lead_id]].total_seconds())
                self.counts[sent.lead_id] += 1
        self.read = len(self.stand.heard)


async def _until(moment: datetime) -> None:
    left = (moment - datetime.now(UTC)).total_seconds()
    if left > 0:
        await asyncio.sleep(left)


def _property(name: str) -> str:
    return {"email.opened": "piece", "email.clicked": "piece", "page.viewed": "path", "form.submitted": "form"}[name]
