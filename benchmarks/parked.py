"""Parked journeys: what one takes on disk, and how fast a cold worker goes on with one, young or old."""

import asyncio
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from benchmarks.drive import Driver, workflow_id
from benchmarks.histories import seconds
from benchmarks.stand import Stand
from models.messages import Behaviour, Request

PATIENCE = 60.0
POLL = 0.03
AGES = {"young": 15, "middle": 55, "old": 85}
"""Events in the history of a journey of each age; the workflow goes on in a new run near 100."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes on disk of the server's database and ours; `mailbox` are those of ours that hold sent messages."""

    server: int
    ours: int
    mailbox: int

    def since(self, before: "Disk", leads: int) -> "Disk":
        """What one lead has added, on average."""
        return Disk(
            (self.server - before.server) // leads,
            (self.ours - before.ours) // leads,
            (self.mailbox - before.mailbox) // leads,
        )

    @property
    def total(self) -> int:
        """Both, without the messages: those are at the provider in production."""
        return self.server + self.ours - self.mailbox


def disk(data_dir: Path) -> Disk:
    """The present size, after a checkpoint of both write-ahead logs."""
    server, ours = data_dir / "temporal.db", data_dir / "perennial.db"
    for file in (server, ours):
        with closing(sqlite3.connect(file, timeout=30)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with closing(sqlite3.connect(ours, timeout=30)) as connection:
        columns = " + ".join(f'length("{name}")' for name in ("text", "html", "headers", "subject", "sender", "to"))
        (mailbox,) = connection.execute(f"SELECT coalesce(sum({columns} + 300), 0) FROM messages").fetchone()  # noqa: S608
    return Disk(server.stat().st_size, ours.stat().st_size, mailbox)


async def park(stand: Stand, count: int) -> list[str]:
    """Enrol that many leads and wait until each is parked."""
    ids = await stand.add_leads(count)
    driver, at = Driver(stand, "ours"), stand.inst.now()
    limit = asyncio.Semaphore(16)

    async def enrol(lead_id: str) -> None:
        async with limit:
            await driver.enrol(lead_id, at)

    await asyncio.gather(*(enrol(lead_id) for lead_id in ids))
    for lead_id in ids:
        await settled(handle_of(stand, lead_id))
    return ids


async def age(stand: Stand, lead_id: str, events: int) -> int:
    """Bring a parked journey on, by what its lead does, until its history is about so long; its length then."""
    handle = handle_of(stand, lead_id)
    await handle.execute_update("override", Request(id="first", reason="benchmark"))
    await settled(handle)
    await behave(stand, handle, "email.clicked", "welcome")
    length, turn = await settled(handle), 0
    while length < events:
        turn += 1
        ending = turn % 3 == 0 and events - length > 20
        name, subject = ("page.viewed", "/pricing") if ending else ("page.viewed", f"/blog/{turn}")
        await behave(stand, handle, name, subject)
        length = await settled(handle)
    return length


async def wake(stand: Stand, lead_id: str) -> float:
    """Wake a parked journey; seconds from the server's taking of the signal to the wake's end, by its clock.

    The wake's mail has left by then: its decision is recorded with the end of the task.
    """
    handle = handle_of(stand, lead_id)
    before = await settled(handle)
    await behave(stand, handle, "page.viewed", "/pricing")
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        history = await handle.fetch_history()
        signalled = 0.0
        for event in history.events[before:]:
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                signalled = signalled or seconds(event)
            elif event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED and signalled:
                await settled(handle)
                return seconds(event) - signalled
        await asyncio.sleep(POLL)
    raise RuntimeError(f"{handle.id} did not wake")


def handle_of(stand: Stand, lead_id: str) -> WorkflowHandle[object, object]:
    """The journey of a lead, its newest run."""
    return stand.inst.client.get_workflow_handle(workflow_id("ours", lead_id))


async def behave(stand: Stand, handle: WorkflowHandle[object, object], name: str, subject: str) -> None:
    """The lead does something now."""
    now = stand.inst.now()
    await handle.signal("behaviour", Behaviour(id=f"b{now.timestamp()}", name=name, subject=subject, at=now, score=0))


async def settled(handle: WorkflowHandle[object, object]) -> int:
    """Wait until a journey rests on its timer, with no task and no activity under way; the length of its history."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        description = (await handle.describe()).raw_description
        if (
            not description.HasField("pending_workflow_task")
            and not description.pending_activities
            and description.workflow_execution_info.history_length > 4
        ):
            return description.workflow_execution_info.history_length
        await asyncio.sleep(POLL)
    raise RuntimeError(f"{handle.id} does not come to rest")
