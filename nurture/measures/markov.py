"""Credit channels by their removal effect in a first-order Markov chain of paths.

Anderl, Becker, von Wangenheim, Schumann, *Mapping the customer journey* (2016): the share of conversions that is lost
if a channel leads nowhere. The chance to convert from each state solves a linear system; nothing is simulated.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from nurture.measures.paths import Credit, Path
from nurture.measures.spreading import spread

_START, _CONVERTED, _LOST = object(), object(), object()
_AT_CONVERTED = 1  # the state's number


@dataclass(frozen=True, slots=True)
class Removal:
    """`probability`: that a path converts. `effects`: the share of it that is lost without the channel, 0 to 1."""

    probability: float
    effects: Mapping[str, float]

    def shares(self) -> dict[str, float]:
        """Each channel's share of all credit; they sum to 1, unless no path converted."""
        total = sum(self.effects.values())
        return {channel: effect / total if total else 0.0 for channel, effect in self.effects.items()}


def removal_effects(paths: Iterable[Path]) -> Removal:
    """Count the transitions of all paths, those without a conversion too, and remove each channel in turn."""
    return removal_effects_of(Counter((path.channels, path.worth > 0) for path in paths if path.touches))


def removal_effects_of(alike: Mapping[tuple[tuple[str, ...], bool], int]) -> Removal:
    """As `removal_effects`, of paths that are counted: by their channels, and whether they converted."""
    counts: Counter[tuple[Hashable, Hashable]] = Counter()
    for (passed, converted), times in alike.items():
        for move in pairwise((_START, *passed, _CONVERTED if converted else _LOST)):
            counts[move] += times
    channels = tuple(sorted({str(place) for place, _ in counts if place is not _START}))
    states = {place: state for state, place in enumerate((_START, _CONVERTED, *channels))}
    moves = _shares(counts, states)
    whole = _chances(moves)[states[_START]]
    if not whole:
        return Removal(0.0, dict.fromkeys(channels, 0.0))
    left = {channel: _chances(moves, without=states[channel])[states[_START]] for channel in channels}
    return Removal(whole, {channel: 1 - chance / whole for channel, chance in left.items()})


def markov(paths: Sequence[Path]) -> list[Credit]:
    """Credit the touches with the worth of all paths that have touches, by their channels' removal effects."""
    return spread(paths, removal_effects(paths).shares())


def _shares(counts: Mapping[tuple[Hashable, Hashable], int], states: Mapping[Hashable, int]) -> list[list[float]]:
    """The share of the moves from each state to each other; what is lost goes nowhere."""
    moves = [[0.0] * len(states) for _ in states]
    totals: Counter[Hashable] = Counter()
    for (place, _), times in counts.items():
        totals[place] += times
    for (place, following), times in counts.items():
        if following is not _LOST:
            moves[states[place]][states[following]] = times / totals[place]
    return moves


def _chances(moves: Sequence[Sequence[float]], without: int | None = None) -> list[float]:
    """The chance to convert from each state: x = T x, and 1 once converted; 0 from the state that is removed."""
    rows: list[list[float]] = []
    for state, following in enumerate(moves):
        row = [0.0 if state == without else -share for share in following]
        row[state] += 1.0
        rows.append([*row, float(state == _AT_CONVERTED)])
    return _solved(rows)


def _solved(rows: list[list[float]]) -> list[float]:
    """Solve by Gauss and Jordan; the rows are equations with their right side at the end, and are used up."""
    count = len(rows)
    for column in range(count):
        pivot = max(range(column, count), key=lambda index: abs(rows[index][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        head = rows[column]
        for index in range(column, count + 1)[::-1]:
            head[index] /= head[column]
        for other in (row for row in rows if row is not head and row[column]):
            factor = other[column]
            for index in range(column, count + 1):
                other[index] -= factor * head[index]
    return [row[count] for row in rows]
