"""`python -m benchmarks`: the canonical journey beside versions by hand, warm and cold; latency, disk, plan."""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from benchmarks import plan_speed
from benchmarks.comparison import COLD, PRODUCTION, SIGNALLED, Comparison, compare
from benchmarks.drive import Variant
from benchmarks.latency import latency_rows
from benchmarks.parked import AGES, age, disk, park, wake
from benchmarks.report import Row, as_json, middle, percentile, show
from benchmarks.stand import FEW, postgres, stand

PARTS = ("journeys", "signalled", "cold", "latency", "parked", "plan")
VARIANTS: tuple[Variant, ...] = ("ours", "optimised", "tuned")
ALL_VARIANTS: tuple[Variant, ...] = ("ours", "naive", "optimised", "tuned")


def main() -> int:
    """Run all, print the table; 1 if an aim was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each variant (default 3)")
    parser.add_argument("--seconds", type=float, default=20, help="how long each round counts (default 20)")
    parser.add_argument(
        "--speed", type=float, default=10, help="days a second; choose fewer on a busy machine (default 10)"
    )
    parser.add_argument("--parked", type=int, default=1000, help="leads parked to weigh them on disk (default 1000)")
    parser.add_argument("--woken", type=int, default=12, help="journeys of each age to wake cold (default 12)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to measure (default: all)")
    parser.add_argument(
        "--capacity",
        type=float,
        default=1.9,
        help="journeys a second that latency takes half of, unless measured too (default 1.9)",
    )
    parser.add_argument("--postgres", action="store_true", help="journeys on PostgreSQL instead of SQLite")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        rows = asyncio.run(measure(arguments, Path(folder)))
    show(rows, title="Perennial: the canonical journey, 12 sends and 20 behaviours over six months")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(as_json(rows), indent=2) + "\n", encoding="utf-8")
    return 1 if any(row.met is False for row in rows) else 0


async def measure(arguments: argparse.Namespace, folder: Path) -> list[Row]:
    """All rows asked for, in the order of the table."""
    rows: list[Row] = []
    capacity = arguments.capacity
    for part, way, variants in (
        ("journeys", PRODUCTION, ALL_VARIANTS),
        ("signalled", SIGNALLED, VARIANTS),
        ("cold", COLD, VARIANTS),
    ):
        if part in arguments.only:
            comparison = await compared(arguments, folder / part, way, variants)
            rows += comparison.rows()
            if part == "journeys":
                capacity = comparison.capacity
    if "latency" in arguments.only:
        rows += await latency_only_rows(arguments, folder, capacity)
    if "parked" in arguments.only:
        rows += await parked_rows(arguments, folder)
    return rows + plan_rows() if "plan" in arguments.only else rows


async def compared(arguments: argparse.Namespace, folder: Path, way: str, variants: tuple[Variant, ...]) -> Comparison:
    """What a journey costs beside those by hand, one way, and how many the machine carries."""
    say(f"the canonical journey at {arguments.speed:g} days a second, {way}")
    cache = {"cache": FEW} if way == COLD else {}
    with (
        tempfile.TemporaryDirectory(prefix="pg-") as server,  # a socket's path must be short
        postgres(Path(server)) if arguments.postgres else nullcontext(),
    ):
        async with stand(folder, arguments.speed * 86_400, variants, **cache) as made:
            return await compare(made, way, variants, arguments.rounds, arguments.seconds, say)


async def latency_only_rows(arguments: argparse.Namespace, folder: Path, capacity: float) -> list[Row]:
    """How soon a signal acts, at half of a capacity."""
    say(f"latency, at half of {capacity:.1f} journeys a second")
    async with stand(folder / "latency", arguments.speed * 86_400, ("ours",)) as fast:
        return await latency_rows(fast, capacity, say)


async def parked_rows(arguments: argparse.Namespace, folder: Path) -> list[Row]:
    """What parked journeys take on disk, and how soon a cold worker goes on with one."""
    rows: list[Row] = []
    say("parked journeys")
    async with stand(folder / "real", 1, ("ours",)) as real:
        before = await asyncio.to_thread(disk, real.data_dir)
        ids = await park(real, arguments.parked)
        fresh = (await asyncio.to_thread(disk, real.data_dir)).since(before, len(ids))
        groups = {name: [ids.pop() for _ in range(arguments.woken)] for name in AGES}
        sizes = {}
        for name, group in groups.items():
            before = await asyncio.to_thread(disk, real.data_dir)
            await asyncio.gather(*(age(real, lead_id, AGES[name]) for lead_id in group))
            grown = (await asyncio.to_thread(disk, real.data_dir)).since(before, len(group))
            sizes[name] = (fresh.total + grown.total) / 1000
        spare = ids.pop()
        await age(real, spare, AGES["young"])
        say("cold wakes")
        await real.stop_worker("ours")
        await real.start_worker("ours")
        await wake(real, spare)
        wakes = {name: [await wake(real, lead_id) for lead_id in group] for name, group in groups.items()}
        wakes["cached"] = [await wake(real, lead_id) for lead_id in groups["young"]]
    for name, values in wakes.items():
        aim = None if name == "cached" else 100
        events = f"{AGES[name]} events, " if name in AGES else ""
        note = f"{events}p90 {1000 * percentile(values, 0.9):.0f} ms, {len(values)} journeys, signal to its end"
        label = "wake, cached" if name == "cached" else f"wake, cold, {name}"
        rows.append(Row(label, 1000 * middle(values), "ms", aim, note=note))
    note = f"server {fresh.server / 1000:.1f}, ours {fresh.ours / 1000:.1f}; {arguments.parked} leads"
    rows.append(Row("parked lead on disk, new", fresh.total / 1000, "KB", 25, note=note))
    for name, size in sizes.items():
        note = f"{AGES[name]} events, messages not counted, {arguments.woken} leads"
        rows.append(Row(f"parked lead on disk, {name}", size, "KB", 25 if name == "young" else None, note=note))
    return rows


def plan_rows() -> list[Row]:
    """How fast `plan` is."""
    say("plan")
    speed = plan_speed.decisions_a_second(plan_speed.canonical, plan_speed.journey("ld"), rounds=50)
    return [Row("plan, decisions a second of CPU", speed, "", 40_000, at_most=False, note="benchmarks/plan_speed.py")]


def say(words: str) -> None:
    """Tell whoever waits what goes on."""
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
