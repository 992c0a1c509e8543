"""kill -9 of the worker, then of server and worker, amid many journeys: nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select
from temporalio.client import Client

from models.journeys import Alert, Enrolment, FactRow, HandOffRow
from models.touches import Message, Touch
from perennial.dev.embedded import Engine, embedded_engine
from perennial.platform.temporal import connect, ensure_search_attributes
from tests.engine.rig import Rig, eventually, quick, rig_on, view_of
from tests.engine.sprint import PIECES, sprint
from tests.paths import ROOT

SPEED = 3 * 86_400.0
LEADS = 200
FEW = 60
PATIENCE = 400


@contextmanager
def worker(data_dir: Path, address: str, tag: str, *version: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, killed at the end of the block."""
    command = [sys.executable, "-m", "tests.engine.sprint", str(data_dir), address, tag, *version]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def server(folder: Path) -> AsyncIterator[Engine]:
    """The development server on its SQLite file."""
    async with embedded_engine(folder) as engine:
        await ensure_search_attributes(await connect(engine.address))
        yield engine


async def accepted(rig: Rig) -> int:
    """How many touches the mailbox has accepted so far."""
    async with rig.database.reading() as session:
        return await session.scalar(select(func.count()).where(Touch.state == "accepted")) or 0


async def at_least(rig: Rig, touches: int) -> None:
    """Wait until that many were accepted."""

    async def reached() -> bool:
        return await accepted(rig) >= touches

    await eventually(reached, within=PATIENCE)


@pytest.mark.slow
async def test_killed_in_the_middle_every_journey_ends_as_if_nothing_had_been(data_dir: Path) -> None:
    """Each lead got each mail once and one offer, and each journal is whole."""
    names = [f"ada{number}" for number in range(LEADS)]
    folder = data_dir / "engine"
    async with server(folder) as engine:  # noqa: SIM117 - the rig needs the engine
        async with rig_on(await connect(engine.address), data_dir, quick(speed=SPEED), tag="kills") as made:
            rig = made.running(sprint)
            await rig.add_leads(*names)
            for name in names:
                await rig.enrol("sprint", name)
            with worker(data_dir, engine.address, "kills") as first:
                await at_least(rig, LEADS)
                os.kill(first.pid, signal.SIGKILL)
            with worker(data_dir, engine.address, "kills") as second:
                await at_least(rig, LEADS * 3 // 2)
                os.kill(engine.pid, signal.SIGKILL)
                os.kill(second.pid, signal.SIGKILL)
    async with server(folder) as engine, rig_on(await connect(engine.address), data_dir, None, tag="kills") as rig:
        with worker(data_dir, engine.address, "kills"):

            async def all_over() -> bool:
                found = await rig.inst.client.count_workflows("ExecutionStatus = 'Completed'")
                return found.count == LEADS

            await eventually(all_over, within=PATIENCE)
            for name in names[:5]:
                view = await view_of(rig.journey("sprint", name))
                facts = await rig.facts("sprint", name)  # they have the words, Temporal has references
                assert [(each.kind, each.at) for each in view.facts] == [(each.kind, each.at) for each in facts]
        await each_once(rig, names)


@pytest.mark.slow
async def test_killed_amid_an_edit_with_both_versions_at_work_nobody_is_mailed_twice(
    client: Client, server_address: str, data_dir: Path
) -> None:
    """An old worker is killed, a new one takes over and is killed, then both work at once; all come to the end."""
    names = [f"bob{number}" for number in range(FEW)]
    async with rig_on(client, data_dir, quick(speed=SPEED)) as made:
        rig = made.running(sprint)
        await rig.add_leads(*names)
        for name in names:
            await rig.enrol("sprint", name)
        with worker(data_dir, server_address, rig.tag) as old:
            await at_least(rig, FEW)
            os.kill(old.pid, signal.SIGKILL)
        with worker(data_dir, server_address, rig.tag, "edited") as new:
            await at_least(rig, FEW * 3 // 2)
            os.kill(new.pid, signal.SIGKILL)
        with worker(data_dir, server_address, rig.tag), worker(data_dir, server_address, rig.tag, "edited"):

            async def all_over() -> bool:
                async with rig.database.reading() as session:
                    found = await session.scalars(select(Enrolment.status))
                    return set(found) == {"finished"}

            await eventually(all_over, within=PATIENCE)
        async with rig.database.reading() as session:
            sent = (await session.execute(select(Touch.lead_id, Touch.piece))).all()
            accepted_by_id = Counter((await session.scalars(select(Message.touch_id))).all())
            outcomes = set((await session.scalars(select(Enrolment.outcome))).all())
    assert outcomes == {"nurtured"}
    assert max(accepted_by_id.values()) == 1
    assert max(Counter(tuple(row) for row in sent).values()) == 1
    assert {row.lead_id for row in sent} == {rig.id(name) for name in names}


async def each_once(rig: Rig, names: list[str]) -> None:
    """Everything that was to happen to each lead happened, once."""
    ids = {rig.id(name) for name in names}
    async with rig.database.reading() as session:
        touches = (await session.execute(select(Touch.lead_id, Touch.piece, Touch.state, Touch.id))).all()
        messages = (await session.scalars(select(Message.touch_id))).all()
        offers = (await session.scalars(select(HandOffRow.lead_id))).all()
        alerts = (await session.scalars(select(Alert.lead_id))).all()
        ended = (await session.execute(select(Enrolment.lead_id, Enrolment.status, Enrolment.outcome))).all()
        done = (await session.execute(select(FactRow.enrolment_id, FactRow.key).where(FactRow.kind == "done"))).all()
        numbers = (
            await session.execute(
                select(func.count(), func.min(FactRow.seq), func.max(FactRow.seq)).group_by(FactRow.enrolment_id)
            )
        ).all()
    assert Counter((lead, piece, state) for lead, piece, state, _ in touches) == Counter(
        (id_, piece, "accepted") for id_ in ids for piece in PIECES
    )
    assert sorted(messages) == sorted(touch_id for *_, touch_id in touches)
    assert Counter(offers) == Counter(alerts) == Counter(ids)
    assert Counter(tuple(row) for row in ended) == Counter((id_, "finished", "nurtured") for id_ in ids)
    assert set(Counter(tuple(row) for row in done).values()) == {1}
    assert len(done) == 5 * len(ids)
    assert all((first, last) == (0, count - 1) for count, first, last in numbers)
