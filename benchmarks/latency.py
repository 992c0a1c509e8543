"""From a behaviour to what it leads to: signal to activity, idle and at half of capacity."""

from collections.abc import Callable

from benchmarks.drive import Driver, workflow_id
from benchmarks.histories import runs_of, signal_to_activity
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
    for name, rate, count in (("idle", IDLE, IDLE_COUNT), ("half load", half, int(half * HALF_SECONDS) + 1)):
        say(f"signal to activity, {name}")
        ran = await Driver(stand, "ours").run(rate, count)
        times: list[float] = []
        for lead_id in ran.ids:
            times += signal_to_activity(await runs_of(stand.inst.client, workflow_id("ours", lead_id)))
        p50, p99 = 1000 * percentile(times, 0.5), 1000 * percentile(times, 0.99)
        note = f"{len(times)} signals at {rate:.2f} journeys a second"
        aim = 100 if name == "half load" else None
        rows += [Row(f"signal to activity, {name}, p50", p50, "ms", note=note)]
        rows += [Row(f"signal to activity, {name}, p99", p99, "ms", aim, note=note)]
    return rows
