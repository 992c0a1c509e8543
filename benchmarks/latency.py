"""From a behaviour to what it leads to: signal to the mail at the provider, idle and at half of capacity."""

from collections.abc import Callable

from benchmarks.drive import Driver, workflow_id
from benchmarks.histories import runs_of, signals_that_woke
from benchmarks.report import Row, percentile
from benchmarks.stand import Stand

IDLE = 0.25
"""Journeys a second that leave the system idle nearly all of the time."""

IDLE_COUNT = 12
HALF_SECONDS = 40.0


async def latency_rows(stand: Stand, capacity: float, say: Callable[[str], None]) -> list[Row]:
    """p50 and p99 of ours, idle and at half of `capacity` journeys a second."""
    rows: list[Row] = []
    half = max(capacity / 2, IDLE)
    for name, rate, count, aims in (
        ("idle", IDLE, IDLE_COUNT, (20, 50)),
        ("half load", half, int(half * HALF_SECONDS) + 1, (None, 100)),
    ):
        say(f"signal to mail, {name}")
        ran = await Driver(stand, "ours", through_listener=True).run(rate, count)
        times: list[float] = []
        for lead_id in ran.ids:
            sends = sorted(sent.at for sent in stand.heard if sent.lead_id == lead_id)
            for signalled in signals_that_woke(await runs_of(stand.inst.client, workflow_id("ours", lead_id))):
                times += [next(sent for sent in sends if sent > signalled) - signalled]
        note = f"{len(times)} signals at {rate:.2f} journeys a second; the server's clock and the worker's are one"
        for part, aim in ((0.5, aims[0]), (0.99, aims[1])):
            value = 1000 * percentile(times, part)
            rows.append(Row(f"signal to mail, {name}, p{100 * part:.0f}", value, "ms", aim, note=note))
    return rows
