"""The canonical journey beside versions by hand: what each weighs, and how many a full system carries.

Three ways: as in production (behaviours come in as the world's do, and a journey is signalled what it listens for),
every behaviour signalled, and every wake cold (the workers keep two journeys in memory).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.drive import LATE, Driver, Round, Variant, workflow_id
from benchmarks.histories import Weight, runs_of, weigh
from benchmarks.report import Row, middle, percentile, spread
from benchmarks.stand import Stand

PRODUCTION = "as in production"
SIGNALLED = "all signalled"
COLD = "every wake cold"

WEIGHED = 6
FASTEST_START = 8.0
"""Journeys a second: faster than any variant carries, so that the gate on lateness and not this sets the pace."""

OTHERS: tuple[Variant, ...] = ("optimised", "tuned")
"""The best by hand, as the SDK comes, and with a worker tuned as ours."""

AIMS = {
    PRODUCTION: {
        ("optimised", "rate"): 1.2,
        ("tuned", "rate"): 1.1,
        ("optimised", "cpu"): 0.75,
        ("tuned", "cpu"): 0.75,
    },
    SIGNALLED: {("optimised", "rate"): 1.2, ("tuned", "rate"): 0.85},
    COLD: {("optimised", "cpu"): 0.5, ("tuned", "cpu"): 0.5},
}
"""The least ratio of journeys a second, and the greatest of the CPU of worker and server, by way and version."""

BILLABLE = {PRODUCTION: 38, SIGNALLED: 56}
MOST_EVENTS, MOST_KB = 100, 30


@dataclass
class Comparison:
    """What the rounds of one way came to."""

    way: str
    variants: tuple[Variant, ...]
    weights: dict[Variant, list[Weight]] = field(default_factory=dict)
    rounds: dict[Variant, list[Round]] = field(default_factory=dict)

    @property
    def capacity(self) -> float:
        """Journeys of ours a second."""
        return middle([each.rate for each in self.rounds["ours"]])

    def rows(self) -> list[Row]:
        """The part of the table."""
        rows = [row for variant, weights in self.weights.items() for row in self._weight_rows(variant, weights)]
        for variant in self.variants:
            rows += self._speed_rows(variant)
        for other in OTHERS:
            if other in self.variants:
                rows += self._ratio_rows(other)
        return rows

    def _weight_rows(self, variant: Variant, weights: list[Weight]) -> list[Row]:
        ours, production = variant == "ours", self.way == PRODUCTION
        weight = sorted(weights, key=lambda each: each.events)[len(weights) // 2]
        said = ", ".join(f"{count} {kind}" for kind, count in sorted(weight.actions.items()))
        name = f"{variant}, {self.way}"
        bytes_ = median(each.bytes for each in weights) / 1000
        return [
            Row(f"{name}: billable actions", weight.billable, "", BILLABLE.get(self.way) if ours else None, note=said),
            Row(
                f"{name}: history events",
                weight.events,
                "",
                MOST_EVENTS if ours and production else None,
                note=_kinds(weight.kinds),
            ),
            Row(f"{name}: history", bytes_, "KB", MOST_KB if ours and production else None),
        ]

    def _speed_rows(self, variant: Variant) -> list[Row]:
        name, rounds = f"{variant}, {self.way}", self.rounds[variant]
        late = [seconds for each in rounds for seconds in each.late]
        busy = middle([each.cpu.total / each.cpu.at for each in rounds])
        note = (
            f"{spread([each.rate for each in rounds])}; sends late by {1000 * percentile(late, 0.5):.0f} ms, "
            f"p90 {1000 * percentile(late, 0.9):.0f} ms (held at {LATE.days} days); {busy:.1f} cores had"
        )
        worker = [1000 * each.worker_cpu for each in rounds]
        server = [1000 * each.server_cpu for each in rounds]
        return [
            Row(f"{name}: journeys a second", middle([each.rate for each in rounds]), "", note=note),
            Row(f"{name}: worker CPU a journey", middle(worker), "ms", note=spread(worker)),
            Row(f"{name}: server CPU a journey", middle(server), "ms", note=spread(server)),
        ]

    def _ratio_rows(self, other: Variant) -> list[Row]:
        pairs = list(zip(self.rounds["ours"], self.rounds[other], strict=True))
        rates = [ours.rate / theirs.rate for ours, theirs in pairs]
        cpus = [ours.both_cpu / theirs.both_cpu for ours, theirs in pairs]
        aims = AIMS[self.way]
        name = f"ours / {other}, {self.way}"
        return [
            Row(
                f"{name}: journeys a second",
                middle(rates),
                "",
                aims.get((other, "rate")),
                at_most=False,
                note=spread(rates),
            ),
            Row(f"{name}: CPU of worker and server", middle(cpus), "", aims.get((other, "cpu")), note=spread(cpus)),
        ]


async def compare(  # noqa: PLR0917 - what is measured, and how long
    stand: Stand,
    way: str,
    variants: tuple[Variant, ...],
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> Comparison:
    """Weigh a few journeys of each variant alone; then fill the system with each, in turn, `rounds` times."""
    found, listened = Comparison(way, variants), way != SIGNALLED
    for variant in variants:
        await Driver(stand, variant, listened).run(rate=4, count=4)  # warms the worker; not counted
        if way != COLD:  # a history does not tell how it was replayed
            quiet = await Driver(stand, variant, listened).run(rate=1, count=WEIGHED)
            client = stand.inst.client
            found.weights[variant] = [weigh(await runs_of(client, workflow_id(variant, lead))) for lead in quiet.ids]
        found.rounds[variant] = []
    say(f"weighed, {way}")
    for number in range(rounds):
        for variant in variants:
            found.rounds[variant].append(await Driver(stand, variant, listened).fill(FASTEST_START, seconds))
            last = found.rounds[variant][-1]
            say(
                f"round {number + 1}, {way}, {variant}: {last.rate:.2f} journeys a second, "
                f"CPU {1000 * last.worker_cpu:.0f} / {1000 * last.server_cpu:.0f} ms"
            )
    return found


def _kinds(kinds: Counter[str]) -> str:
    tasks = kinds["WORKFLOW_TASK_COMPLETED"]
    return f"{tasks} workflow tasks, {kinds['MARKER_RECORDED']} markers, {kinds['TIMER_CANCELED']} timers cancelled"
