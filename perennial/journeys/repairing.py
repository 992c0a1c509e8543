"""Compare what runs in Temporal with what the database says, and mend where they differ.

They differ after a journey was terminated in the Temporal UI or failed, after Temporal was restored or came back empty,
and after the database was restored to a time before a journey began.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, func, select
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from models.journeys import RUNNING, Enrolment, FactRow
from models.leads import LeadRow
from models.messages import Journey, Request
from nurture.errors import RefusedError
from nurture.journey.decision import Finish
from nurture.journey.facts import Enrolled, Exited, Finished
from nurture.journey.plan import outcome_of
from nurture.journey.refs import is_ref
from nurture.journey.wording import say_reason
from nurture.people.words import trait_words
from perennial.journeys.adopting import lock_head
from perennial.journeys.alerts import LOST, drop_alert
from perennial.journeys.enrolling import Enroller
from perennial.journeys.handles import ENROLMENT, enrolment_of, view_journey, workflow_of
from perennial.journeys.ledger import LedgerEntry, change
from perennial.journeys.read_model import Position, facts_from, write_facts, write_head
from perennial.journeys.words import words_of
from perennial.platform.temporal import is_not_found

Fault = Literal["never started", "ended in Temporal", "lost in Temporal", "lost in the database"]

REMEDIES: Mapping[Fault, str] = {
    "never started": "start it",
    "ended in Temporal": "end it in the database too, so that the lead can enter again",
    "lost in Temporal": "start it again where its journal ends",
    "lost in the database": "write it again from its workflow",
}
"""What mends each fault."""

EXITED = "exited: "
CUT_OFF = "its journey was ended in Temporal while it was sent; whether it was sent is not known"
_CLOSED = {
    WorkflowExecutionStatus.TERMINATED: "terminated in Temporal",
    WorkflowExecutionStatus.FAILED: "failed in Temporal",
    WorkflowExecutionStatus.TIMED_OUT: "timed out in Temporal",
    WorkflowExecutionStatus.CANCELED: "cancelled in Temporal",
}
_UNFINISHED = select(Enrolment.id, Enrolment.status).where(Enrolment.status.in_((*RUNNING, "starting")))
_STANDING = (
    select(Enrolment.status, func.coalesce(func.max(FactRow.seq) + 1, 0).label("facts"))
    .outerjoin(FactRow, FactRow.enrolment_id == Enrolment.id)
    .where(Enrolment.id == bindparam("enrolment"))
    .group_by(Enrolment.status)
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A journey that Temporal and the database disagree about. `outcome` is how it ended, if it ended in Temporal."""

    enrolment_id: str
    fault: Fault
    outcome: str = ""


@dataclass(frozen=True)
class Repair:
    """Finds the differences, and mends them; each journey by itself, so that it can be run again at any time."""

    enroller: Enroller

    async def differences(self) -> AsyncIterator[Difference]:
        """Every journey that runs in one place alone; what began or ended meanwhile is asked for again."""
        running = {each async for each in self._running()}
        async with self.enroller.database.reading() as session:
            known = [(id_, status) for id_, status in await session.execute(_UNFINISHED)]
        for enrolment_id, status in known:
            if enrolment_id not in running and (found := await self._not_running(enrolment_id, status)) is not None:
                yield found
        for enrolment_id in sorted(running - {id_ for id_, _ in known}):
            async with self.enroller.database.reading() as session:
                if await session.get(Enrolment, enrolment_id) is None:
                    yield Difference(enrolment_id, "lost in the database")

    async def mend(self, difference: Difference, now: datetime) -> bool:
        """Mend a difference; False if there is none any more. Raises RefusedError if a person has to do it."""
        mended = await self._mend(difference, now)
        async with self.enroller.database.transaction() as connection:
            await drop_alert(connection, difference.enrolment_id, LOST)
        return mended

    async def _mend(self, difference: Difference, now: datetime) -> bool:
        match difference.fault:
            case "lost in the database":
                return await self._write_again(difference.enrolment_id)
            case "ended in Temporal":
                return await self._end(difference.enrolment_id, difference.outcome, now)
            case "never started":
                try:
                    return await self._start_again(difference.enrolment_id)
                except RefusedError as error:  # what keeps the lead off the track now has come since
                    return await self._end(difference.enrolment_id, f"{EXITED}never started, as {error}", now)
            case _:
                return await self._start_again(difference.enrolment_id)

    async def _running(self) -> AsyncIterator[str]:
        """The enrolments of the workflows that run."""
        query = f"TaskQueue = '{self.enroller.task_queue}' AND ExecutionStatus = 'Running'"
        async for found in self.enroller.client.list_workflows(query):
            yield str(await found.memo_value(ENROLMENT, "") or f"{found.id}/1")

    async def _not_running(self, enrolment_id: str, status: str) -> Difference | None:
        """What is wrong with a journey that is not in the list of running ones; the list lags, so ask by id."""
        client = self.enroller.client
        handle = client.get_workflow_handle(workflow_of(enrolment_id))
        found = await _status(handle)
        if found is not None and (there := await enrolment_of(client, handle)) != enrolment_id:
            if there is not None and _number(there) > _number(enrolment_id):
                return Difference(enrolment_id, "ended in Temporal", await self._end_of_earlier(enrolment_id))
            found = None  # it is of an earlier stay on the track
        async with self.enroller.database.reading() as session:
            enrolment = await session.get_one(Enrolment, enrolment_id)
            if found is WorkflowExecutionStatus.RUNNING or enrolment.status == "finished":
                return None
        if found is None:
            return Difference(enrolment_id, "never started" if status == "starting" else "lost in Temporal")
        return Difference(enrolment_id, "ended in Temporal", await _end_of(handle, found))

    async def _end_of_earlier(self, enrolment_id: str) -> str:
        """How a stay ended that another has followed under the same workflow id; Temporal may have forgotten it."""
        client, closed = self.enroller.client, "ExecutionStatus NOT IN ('Running', 'ContinuedAsNew')"
        async for run in client.list_workflows(f"WorkflowId = '{workflow_of(enrolment_id)}' AND {closed}"):
            if await run.memo_value(ENROLMENT, "") == enrolment_id and run.status is not None:
                return await _end_of(client.get_workflow_handle(run.id, run_id=run.run_id), run.status)
        return f"{EXITED}ended in Temporal, before it entered again"

    async def _end(self, enrolment_id: str, outcome: str, now: datetime) -> bool:
        """Record the end that the database has not heard of."""
        async with self.enroller.database.transaction() as connection:
            head = await lock_head(connection, enrolment_id)
            status, length = (await connection.execute(_STANDING, {"enrolment": enrolment_id})).one()
            if status == "finished":
                return False
            facts = await facts_from(connection, enrolment_id, max(length - 1, 0))
            at = max(now, *(fact.at for fact in facts)) if facts else now
            outcome = (await words_of(connection, enrolment_id)).plain(outcome)
            exited = outcome.startswith(EXITED)
            end = Exited(at, outcome.removeprefix(EXITED)) if exited else Finished(at, outcome)
            await write_facts(connection, enrolment_id, length, [end])
            await write_head(connection, enrolment_id, at, Finish(outcome_of(end)), [say_reason(end)])
            if head.open_touch is not None and head.open_touch.state == "sending":
                await change(connection, LedgerEntry(head.open_touch.id, "unknown", CUT_OFF, at))
        return True

    async def _start_again(self, enrolment_id: str) -> bool:
        """Start the workflow with the journal that the database has: what was done is not done again."""
        enroller = self.enroller
        async with enroller.database.writing() as session:
            enrolment = await session.get_one(Enrolment, enrolment_id)
            if enrolment.status == "finished":
                return False
            facts = await facts_from(session, enrolment_id, 0)
            position = Position(0, "").after(facts)
            enrolment.length, enrolment.digest = position.length, position.digest
            if facts and isinstance(facts[0], Enrolled) and enrolment.traits is None:
                enrolment.traits = dict(facts[0].traits)
                await session.flush()
            words = await words_of(session, enrolment_id)
        if not facts:
            begun = await enroller.begin(enrolment.track, enrolment.lead_id, enrolment.started_at, enrolment.cause)
            return begun.started
        journey = Journey(
            enrolment_id=enrolment_id,
            lead_id=enrolment.lead_id,
            facts=words.hidden_facts(facts),
            decided=len(facts),
            total=len(facts),
            saved=len(facts),
            digest=position.digest,
            clock=enroller.clock,
            now=max(fact.at for fact in facts),
        )
        return await enroller.start(enrolment.track, journey)

    async def _write_again(self, enrolment_id: str) -> bool:
        """Write the enrolment that a restored database lacks; its next wake writes the facts and touches again."""
        view = await view_journey(self.enroller.client, enrolment_id)
        began, tracks = view.facts[0], self.enroller.tracks
        assert isinstance(began, Enrolled)
        async with self.enroller.database.writing() as session:
            if await session.get(Enrolment, enrolment_id) is not None:
                return False
            lead = await session.get(LeadRow, view.lead_id)
            if lead is None:
                raise RefusedError("its lead is not in the database either: terminate it in the Temporal UI")
            session.add(
                Enrolment(
                    id=enrolment_id,
                    lead_id=view.lead_id,
                    track=view.track,
                    number=_number(enrolment_id),
                    status="active",
                    cause="" if is_ref(began.cause) else began.cause,
                    traits=trait_words(lead.traits) if not began.traits else None,
                    priority=tracks[view.track].priority if view.track in tracks else 0,
                    started_at=began.at,
                )
            )
        handle = self.enroller.client.get_workflow_handle(workflow_of(enrolment_id))
        await handle.signal("refresh", Request(id=f"repair:{view.total}", reason="written again"))
        return True


def _number(enrolment_id: str) -> int:
    return int(enrolment_id.rpartition("/")[2])


async def _end_of(handle: WorkflowHandle[Any, Any], status: WorkflowExecutionStatus) -> str:
    """The outcome of a closed run."""
    return str(await handle.result()) if status is WorkflowExecutionStatus.COMPLETED else EXITED + _CLOSED[status]


async def _status(handle: WorkflowHandle[Any, Any]) -> WorkflowExecutionStatus | None:
    """How the latest run of a workflow stands; None if Temporal has none of that id."""
    try:
        return (await handle.describe()).status
    except RPCError as error:
        if is_not_found(error):
            return None
        raise
