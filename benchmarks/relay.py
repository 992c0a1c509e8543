"""The relay: how fast it drains what came in while Temporal was away, and how soon a journey reacts to a webhook.

    python -m benchmarks.relay [--events 50000] [--leads 200] [--postgres]

One event in a hundred is a click that a journey may wait for; the others count at its next decision. A reaction is
timed from before the event is stored, as a webhook stores it, to the start of the wake that it led to, and to the end
of what that wake did (one local activity). At load the relay passes on a stream of other leads' events meanwhile. On
SQLite, or on a PostgreSQL server of its own, with the worker running.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path

from temporalio.api.enums.v1 import EventType

from benchmarks.histories import seconds
from benchmarks.parked import AGES, age, handle_of, park, settled
from benchmarks.report import Row, percentile, show
from benchmarks.stand import Stand, postgres, stand
from perennial.app.sources import translator
from perennial.intake import own
from perennial.intake.outbox import Incoming
from perennial.intake.outbox import store as store_events
from perennial.intake.relay import Relay
from perennial.platform.secrets import Secrets

HEARD = 100
"""One event in this many is a click on the welcome, which wakes the journey the first time."""

LOAD = 100
"""Events a second of other leads, at load."""

REACTIONS = 30
PATIENCE = 60.0
POLL = 0.02

DONE = (EventType.EVENT_TYPE_MARKER_RECORDED, EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED)


def event(stand: Stand, number: int, lead_id: str, name: str, subject: str) -> Incoming:
    """A page view or a click, as the outbox holds it."""
    at = stand.inst.now()
    props = {"path" if name == "page.viewed" else "piece": subject}
    body = {"name": name, "props": props, "at": at.isoformat(), "touch_id": None, "bot": False}
    return Incoming(own.SOURCE, f"e{number}", (number,), body, at, lead_id=lead_id)


async def store(stand: Stand, events: Sequence[Incoming]) -> None:
    """Store events in one transaction, as a webhook does."""
    await store_events(stand.inst.database, events)


async def drained(stand: Stand, relay: Relay, leads: Sequence[str], count: int) -> float:
    """Seconds to pass on that many events that have piled up."""
    for first in range(0, count, 1000):
        numbers = range(first, min(first + 1000, count))
        said = [
            ("email.clicked", "welcome") if number % HEARD == 0 else ("page.viewed", f"/blog/{number % 50}")
            for number in numbers
        ]
        of = [leads[number // HEARD % len(leads)] for number in numbers]
        await store(stand, [event(stand, *each) for each in zip(numbers, of, *zip(*said, strict=True), strict=True)])
    began = time.perf_counter()
    while await relay.drain():
        pass
    return time.perf_counter() - began


async def reaction(stand: Stand, number: int, lead_id: str) -> tuple[float, float]:
    """Seconds from a page view to the start of the wake that it leads to, and to the end of what that does."""
    handle = handle_of(stand, lead_id)
    before = await settled(handle)
    began = time.time()
    await store(stand, [event(stand, number, lead_id, "page.viewed", "/pricing")])
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        woken = None
        for found in (await handle.fetch_history()).events[before:]:
            if found.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED and woken is None:
                woken = seconds(found) - began
            elif found.event_type in DONE and woken is not None:
                return woken, seconds(found) - began
        await asyncio.sleep(POLL)
    raise RuntimeError(f"{handle.id} did not react")


@asynccontextmanager
async def load(stand: Stand, leads: Sequence[str]) -> AsyncIterator[None]:
    """Other leads' events for the length of the block."""

    async def stream() -> None:
        number = 10_000_000
        while True:
            events = [
                event(stand, number + n, leads[(number + n) % len(leads)], "page.viewed", f"/blog/{n}")
                for n in range(LOAD // 10)
            ]
            number += len(events)
            await store(stand, events)
            await asyncio.sleep(0.1)

    streaming = asyncio.create_task(stream())
    try:
        yield
    finally:
        streaming.cancel()
        with suppress(asyncio.CancelledError):
            await streaming


async def measure(events: int, leads: int, folder: Path) -> list[Row]:
    """Both measurements on one stand."""
    async with stand(folder, 1, ("ours",)) as here:
        reads = translator(Secrets("a secret of the benchmark"), here.inst.scoring)
        relay = Relay(here.inst.database, here.inst.listener, reads)
        say(f"parking {leads} journeys")
        ids = await park(here, leads + 2 * REACTIONS)
        idle, busy, crowd = ids[:REACTIONS], ids[REACTIONS : 2 * REACTIONS], ids[2 * REACTIONS :]
        await asyncio.gather(*(age(here, lead_id, AGES["young"]) for lead_id in (*idle, *busy)))
        stop = asyncio.Event()
        running = asyncio.create_task(relay.run(stop))
        say("reactions")
        quick = [await reaction(here, 20_000_000 + n, lead_id) for n, lead_id in enumerate(idle)]
        async with load(here, crowd):
            loaded = [await reaction(here, 30_000_000 + n, lead_id) for n, lead_id in enumerate(busy)]
        stop.set()
        await running
        say(f"draining {events:,} events")
        took = await drained(here, relay, crowd, events)
    note = f"{events:,} events of {leads} leads in {took:.0f} s"
    rows = [Row("relay, drain after an outage", events / took, "events/s", note=note)]
    for name, times in (("idle", quick), (f"{LOAD} events/s", loaded)):
        for column, to in enumerate(("wake", "done")):
            for label, part in (("p50", 0.5), ("p99", 0.99)):
                took = 1000 * percentile([time[column] for time in times], part)
                rows.append(Row(f"webhook to {to}, {name}, {label}", took, "ms"))
    return rows


def say(words: str) -> None:
    """Tell whoever waits what goes on."""
    print(words, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relay", description=__doc__)
    parser.add_argument("--events", type=int, default=50_000, help="events that piled up (default 50,000)")
    parser.add_argument("--leads", type=int, default=200, help="leads they are of (default 200)")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    with (
        tempfile.TemporaryDirectory(prefix="pg-") as server,
        tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder,
        postgres(Path(server)) if arguments.postgres else nullcontext(),
    ):
        rows = asyncio.run(measure(arguments.events, arguments.leads, Path(folder)))
    on = "PostgreSQL" if arguments.postgres else "SQLite"
    show(rows, title=f"Perennial: from what came in to the journeys, on {on}")


if __name__ == "__main__":
    main()
