"""From stage to stage: which share of the leads went on, and how long it took them."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import combinations, pairwise

from nurture.measures.proportions import Rate
from nurture.measures.survival import Spell, Survival, survival
from perennial.reports.milestones import STAGES, Milestones
from perennial.reports.period import Period

STEPS = (*pairwise(STAGES), ("entered", "won"))
"""The pairs of stages whose times are told: each step of the funnel, and the whole of it."""

PAIRS = tuple(combinations(STAGES, 2))
"""Any stage, and any later one."""

_NAMES = tuple(STAGES)
_LATER = [[(_NAMES.index(to), (since, to)) for since, to in PAIRS if since == stage] for stage in STAGES]
"""By a stage's place: each later one's place, and the pair."""

_HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Conversion:
    """From one stage to another: of those who reached the first in the period, how many went on before its end.

    `earlier` had reached the second one before the first: they are left out, and told. Times are kept if it is `timed`.
    """

    timed: bool = True

    hits: int = 0
    of: int = 0
    earlier: int = 0
    _spells: Counter[tuple[timedelta, bool]] = field(default_factory=Counter)

    @property
    def rate(self) -> Rate:
        """The share that went on."""
        return Rate(self.hits, self.of)

    def survival(self) -> Survival:
        """How long it takes, to the hour; for who has not gone on, how long it has been."""
        return survival(Spell(length, over, number) for (length, over), number in self._spells.items())

    def add(self, since: datetime, to: datetime | None, until: datetime) -> None:
        """Count one lead."""
        if to is not None and to < since:
            self.earlier += 1
            return
        self.of += 1
        self.hits += to is not None
        if self.timed:
            self._spells[((to or until) - since) // _HOUR * _HOUR, to is not None] += 1


@dataclass(slots=True)
class Funnel:
    """What became of the leads of a period: by step, by week of entry, and by source. Add each lead once."""

    period: Period
    reached: Counter[str] = field(default_factory=Counter)
    steps: dict[tuple[str, str], Conversion] = field(
        default_factory=lambda: {pair: Conversion(timed=pair in STEPS) for pair in PAIRS}
    )
    by_week: dict[date, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    by_source: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, lead: Milestones) -> None:
        """Count a lead in each step whose first stage it reached in the period."""
        for place, since in enumerate(lead.at):
            if since is None or not self.period.holds(since):
                continue
            self.reached[_NAMES[place]] += 1
            for later, pair in _LATER[place]:
                self.steps[pair].add(since, lead.at[later], self.period.until)
        entered = lead.at[0]
        if entered is not None and self.period.holds(entered):
            for counts in (self.by_week[self.period.week_of(entered)], self.by_source[lead.source]):
                counts.update(
                    stage for stage, at in zip(STAGES, lead.at, strict=True) if at is not None and at >= entered
                )


def share(counts: Counter[str], stage: str) -> Rate:
    """Of those who entered, how many reached a stage."""
    return Rate(counts[stage], counts["entered"])
