"""The canonical journey three ways, in interleaved rounds on one server."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.drive import LATE, Driver, Round, Variant, workflow_id
from benchmarks.histories import Weight, runs_of, weigh
from benchmarks.report import Row, middle, percentile, spread
from benchmarks.stand import Stand

LISTENED = "ours, as in production"
"""Behaviours by the project's own way in, which wakes a journey only for what it listens for."""

VARIANTS: tuple[Variant, ...] = ("ours", "naive", "optimised")
WEIGHED = 6
FASTEST_START = 8.0
"""Journeys a second: faster than any variant carries, so that the gate on lateness and not this sets the pace."""


@dataclass
class Comparison:
    """What the rounds came to."""

    stand: Stand
    weights: dict[str, list[Weight]] = field(default_factory=dict)
    rounds: dict[Variant, list[Round]] = field(default_factory=dict)
    through_listener: list[Round] = field(default_factory=list)

    @property
    def capacity(self) -> float:
        """Journeys of ours a second."""
        return middle([each.rate for each in self.rounds["ours"]])

    def rows(self) -> list[Row]:
        """The part of the table."""
        rows: list[Row] = []
        for name, weights in self.weights.items():
            ours = name in (LISTENED, "ours")
            weight = sorted(weights, key=lambda each: each.events)[len(weights) // 2]
            said = ", ".join(f"{count} {kind}" for kind, count in sorted(weight.actions.items()))
            bytes_ = median(each.bytes for each in weights) / 1000
            rows += [
                Row(f"{name}: billable actions", weight.billable, "", 60 if ours else None, note=said),
                Row(f"{name}: history events", weight.events, "", 260 if ours else None, note=_kinds(weight.kinds)),
                Row(f"{name}: history", bytes_, "KB"),
            ]
        for variant in VARIANTS:
            rows += _speed(variant, self.rounds[variant])
        rows += _speed(LISTENED, self.through_listener)
        for name, aim, per in (
            ("wall", 0.85, lambda each: each.rate),
            ("CPU", None, lambda each: each.rate_per_cpu),
        ):
            for other in ("optimised", "naive"):
                ratios = self._ratios(other, per)
                label = f"ours / {other}, journeys a second of {name}"
                bound = aim if other == "optimised" else None
                rows.append(Row(label, middle(ratios), "", bound, at_most=False, note=spread(ratios)))
        return rows

    def _ratios(self, other: Variant, per: Callable[[Round], float]) -> list[float]:
        pairs = zip(self.rounds["ours"], self.rounds[other], strict=True)
        return [per(ours) / per(theirs) for ours, theirs in pairs]


async def compare(stand: Stand, rounds: int, seconds: float, say: Callable[[str], None]) -> Comparison:
    """Weigh a few journeys of each variant alone; then fill the system with each, in turn, `rounds` times."""
    found = Comparison(stand)
    named: list[tuple[str, Variant]] = [(LISTENED, "ours"), *((variant, variant) for variant in VARIANTS)]
    for name, variant in named:
        through_listener = name == LISTENED
        await Driver(stand, variant, through_listener).run(rate=4, count=4)  # warms the worker; not counted
        quiet = await Driver(stand, variant, through_listener).run(rate=1, count=WEIGHED)
        client = stand.inst.client
        found.weights[name] = [weigh(await runs_of(client, workflow_id(variant, lead))) for lead in quiet.ids]
        found.rounds[variant] = []
        say(f"weighed: {name}")
    for number in range(rounds):
        for variant in VARIANTS:
            found.rounds[variant].append(await Driver(stand, variant).fill(FASTEST_START, seconds))
            say(f"round {number + 1}, {variant}: {found.rounds[variant][-1].rate:.2f} journeys a second")
    found.through_listener.append(await Driver(stand, "ours", through_listener=True).fill(FASTEST_START, seconds))
    return found


def _speed(name: str, rounds: list[Round]) -> list[Row]:
    late = [seconds for each in rounds for seconds in each.late]
    clock_days = LATE.days
    busy = middle([each.cpu.total / each.cpu.at for each in rounds])
    server = middle([each.cpu.server / each.cpu.total for each in rounds])
    note = (
        f"{spread([each.rate for each in rounds])}; sends late by {1000 * percentile(late, 0.5):.0f} ms, "
        f"p90 {1000 * percentile(late, 0.9):.0f} ms (held at {clock_days} days); {busy:.1f} cores had, "
        f"{server:.0%} by the server"
    )
    return [
        Row(f"{name}: journeys a second", middle([each.rate for each in rounds]), "", note=note),
        Row(
            f"{name}: worker CPU a journey",
            1000 * middle([each.worker_cpu for each in rounds]),
            "ms",
            note=spread([1000 * each.worker_cpu for each in rounds]),
        ),
    ]


def _kinds(kinds: Counter[str]) -> str:
    tasks = kinds["WORKFLOW_TASK_COMPLETED"]
    return f"{tasks} workflow tasks, {kinds['MARKER_RECORDED']} markers, {kinds['TIMER_CANCELED']} timers cancelled"
