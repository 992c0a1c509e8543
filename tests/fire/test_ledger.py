"""The ledger under fire: a worker killed at each point of the send path, and a provider that fails in every way.

The judge is the mailbox's own record of what it accepted, by touch. `make prove ARGS="-s tests/fire"` says the figures.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.engine.rig import eventually, quick, rig_on
from tests.fire.fuse import POINTS
from tests.fire.stand import Ledger, Worked, enrolled, stand
from tests.fire.story import PIECES, TRACKS

DAY_A_SECOND = 86_400.0
LEADS = 210
ROUNDS = 3
FEW = 20
PATIENCE = 420


async def test_killed_at_each_point_nothing_goes_twice_and_nothing_that_must_arrive_is_lost(
    client: Client, server_address: str, data_dir: Path
) -> None:
    """A life for each point, without Temporal: the sends that a kill cut short are tried again at once."""
    names = [f"ada{number}" for number in range(FEW)]
    plan = [(point, 4 + number) for number, point in enumerate(POINTS)]
    async with rig_on(client, data_dir, quick(speed=DAY_A_SECOND)) as made, stand(made, server_address, data_dir) as at:
        await enrolled(at.rig, names)
        with at.worker([*plan, ("", 1)], leads=names) as worked:

            async def over() -> bool:
                return "stopped" in worked.said

            await eventually(over, within=120)
        await at.drained()
        ledger = await at.ledger()
    assert worked.said == [*(f"killed {point}" for point in POINTS), "left", "stopped"]
    report(ledger, worked)
    hold(ledger, FEW * len(PIECES))


@pytest.mark.slow
async def test_thousands_of_sends_through_a_worker_that_dies_all_the_time(
    client: Client, server_address: str, data_dir: Path
) -> None:
    """On the real engine: each point costs several lives, each life leaves a score of sends in mid-air."""
    names = [f"ada{number}" for number in range(LEADS)]
    dice = random.Random(11)
    plan = [(point, dice.randrange(5, 60)) for point in POINTS for _ in range(ROUNDS)]
    dice.shuffle(plan)
    async with rig_on(client, data_dir, quick(speed=DAY_A_SECOND)) as made, stand(made, server_address, data_dir) as at:
        await at.rig.add_leads(*names)
        with at.worker([*plan, ("", 1)]) as worked:
            for name in names:
                for track in TRACKS:
                    await at.rig.enrol(track.name, name)

            async def over() -> bool:
                assert not any(line.startswith(("failed", "left")) for line in worked.said), worked.said
                queue = f"TaskQueue = '{at.rig.inst.settings.task_queue}'"
                found = await client.count_workflows(f"{queue} AND ExecutionStatus = 'Completed'")
                return found.count == LEADS * len(TRACKS)

            await eventually(over, within=PATIENCE)
        await at.drained()
        ledger = await at.ledger()
    assert set(worked.kills.values()) == {ROUNDS}, worked.kills
    report(ledger, worked)
    hold(ledger, LEADS * len(PIECES))


def hold(ledger: Ledger, sends: int) -> None:
    """What each policy promises, and that the ledger knows in the end what the mailbox knows."""
    once, surely = (ledger.of(track.name) for track in TRACKS)
    assert (once.sends, surely.sends) == (sends, sends)
    assert once.doubled == 0
    assert surely.lost == 0
    assert (once.untrue, surely.untrue) == ([], [])
    assert set(ledger.accepted) <= set(ledger.touches), "a mail of no touch"


def report(ledger: Ledger, worked: Worked) -> None:
    """Say the figures."""
    lines = [f"kills: {', '.join(f'{point} {times}' for point, times in worked.kills.items())}"]
    lines += [f"{track.delivery}: {ledger.of(track.name)}" for track in TRACKS]
    print("\n" + "\n".join(lines))  # noqa: T201 - `-s` shows it
