"""The ledger under fire: a worker killed at each point of the send path, and a provider that fails in every way.

The judge is the mailbox's own record of what it accepted, by touch. `make prove ARGS="-s tests/fire"` says the figures.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from secrets import token_hex

import pytest
from temporalio.client import Client

from perennial.mailroom.webhook import Manners
from tests.databases import command, named
from tests.engine.rig import eventually, quick, rig_on
from tests.fire.fuse import POINTS
from tests.fire.stand import Ledger, Stand, Worked, enrolled, stand
from tests.fire.story import PIECES, TRACKS, at_least_once

DAY_A_SECOND = 86_400.0
LEADS = 500
ROUNDS = 3
FEW, MANY = 16, 120
PATIENCE = 580


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, data_dir: Path) -> str:
    """An empty, migrated database of one kind."""
    if request.param == "sqlite":
        return f"sqlite:///{data_dir / 'perennial.db'}"
    server: str = request.getfixturevalue("postgres_url")
    template: str = request.getfixturevalue("postgres_template")
    name = f"fire_{token_hex(4)}"
    asyncio.run(command(server, f"CREATE DATABASE {name} TEMPLATE {template}"))
    return named(server, name)


async def test_killed_at_each_point_nothing_goes_twice_and_nothing_that_must_arrive_is_lost(
    client: Client, server_address: str, data_dir: Path, url: str
) -> None:
    """A life for each point, without Temporal: the sends that a kill cut short are tried again at once."""
    plan = [(point, 4 + number) for number, point in enumerate(POINTS)]
    async with (
        rig_on(client, data_dir, quick(speed=DAY_A_SECOND), url=url) as made,
        stand(made, server_address, data_dir) as at,
    ):
        worked = await without_temporal(at, FEW, plan)
        await at.drained()
        ledger = await at.ledger()
    report(ledger, worked)
    hold(ledger, FEW * len(PIECES))


@pytest.mark.slow
async def test_when_no_webhook_is_heard_in_time_at_least_once_is_sometimes_twice(
    client: Client, server_address: str, data_dir: Path
) -> None:
    """What at least once gives up, at its worst: every send of unknown fate goes again. Webhooks come late."""
    dice = random.Random(12)
    plan = [(point, dice.randrange(5, 40)) for point in POINTS for _ in range(ROUNDS)]
    async with rig_on(client, data_dir, quick(speed=DAY_A_SECOND)) as made, stand(made, server_address, data_dir) as at:
        at.mailbox.client.webhook(manners=Manners(paused=True))
        worked = await without_temporal(at, MANY, plan)
        at.mailbox.client.webhook(manners=Manners())
        await at.drained()
        ledger = await at.ledger()
    report(ledger, worked)
    hold(ledger, MANY * len(PIECES))
    assert ledger.of(at_least_once.name).doubled > 0


@pytest.mark.slow
async def test_thousands_of_sends_through_a_worker_that_dies_all_the_time(
    client: Client, server_address: str, data_dir: Path, url: str
) -> None:
    """On the real engine: each point costs several lives, each life leaves a score of sends in mid-air."""
    names = [f"ada{number}" for number in range(LEADS)]
    dice = random.Random(11)
    plan = [(point, dice.randrange(5, 30)) for point in POINTS for _ in range(ROUNDS)]
    dice.shuffle(plan)
    async with (
        rig_on(client, data_dir, quick(speed=DAY_A_SECOND), url=url) as made,
        stand(made, server_address, data_dir) as at,
    ):
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


async def without_temporal(at: Stand, leads: int, plan: list[tuple[str, int]]) -> Worked:
    """Send to that many leads through a worker that lives by the plan, and then to the end."""
    names = [f"ada{number}" for number in range(leads)]
    await enrolled(at.rig, names)
    with at.worker([*plan, ("", 1)], leads=names) as worked:

        async def over() -> bool:
            return "stopped" in worked.said

        await eventually(over, within=PATIENCE)
    assert worked.said == [*(f"killed {point}" for point, _ in plan), "left", "stopped"]
    return worked


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
