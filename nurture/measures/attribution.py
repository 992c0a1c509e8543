"""Credit each touch of a converted path by a fixed rule: first, last, linear, U, W, time decay.

A rule answers one share a touch; shares are 0 or more and sum to 1.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from nurture.errors import InputError
from nurture.measures.paths import Credit, Path

Rule = Callable[[Path], list[float]]

HALF_LIFE = timedelta(days=7)


def first(path: Path) -> list[float]:
    """All to the first touch."""
    return _only(0, len(path.touches))


def last(path: Path) -> list[float]:
    """All to the last touch before the conversion."""
    return _only(len(path.touches) - 1, len(path.touches))


def linear(path: Path) -> list[float]:
    """The same to each touch."""
    return [1 / len(path.touches)] * len(path.touches)


def by_position(path: Path, *, first: float = 0.4, middle: float = 0.2, last: float = 0.4) -> list[float]:
    """`first` to the first touch, `last` to the last, `middle` shared by those between. The defaults are the U.

    Without touches between, first and last share in proportion. Raises InputError if the shares do not sum to 1.
    """
    if min(first, middle, last) < 0 or abs(first + middle + last - 1) > 1e-9:
        raise InputError(f"the shares of first, middle and last, {first}, {middle}, {last}, do not sum to 1")
    count = len(path.touches)
    shares = [0.0] * count
    shares[0] += first
    shares[-1] += last
    for index in range(1, count - 1):
        shares[index] = middle / (count - 2)
    return _scaled(shares)


def w_shaped(path: Path, *, milestone: float = 0.3) -> list[float]:
    """`milestone` to the first touch and to the one that led to each of the path's milestones; the rest share the rest.

    The touch that led to a milestone is the last one before it; of a milestone before all touches, the first. Where
    milestones coincide their shares add up; where one is missing, or no touch is left for the rest, all others grow in
    proportion.
    """
    shares = [0.0] * len(path.touches)
    shares[0] = milestone
    for moment in path.milestones[:2]:
        shares[_led_to(path, moment)] += milestone
    rest = [index for index, share in enumerate(shares) if not share]
    for index in rest:
        shares[index] = (1 - 3 * milestone) / len(rest)
    return _scaled(shares)


def time_decay(path: Path, *, half_life: timedelta = HALF_LIFE) -> list[float]:
    """A touch counts half as much as one that is `half_life` nearer to the conversion."""
    if half_life <= timedelta():
        raise InputError(f"a half-life of {half_life} is not positive")
    latest = path.touches[-1].at  # the same shares as counted from the conversion, and no underflow
    return _scaled([0.5 ** ((latest - touch.at) / half_life) for touch in path.touches])


RULES: dict[str, Rule] = {
    "first": first,
    "last": last,
    "linear": linear,
    "u": by_position,
    "w": w_shaped,
    "time-decay": time_decay,
}


def position_rule(first: float, middle: float, last: float) -> Rule:
    """A rule with a company's own shares by position."""
    return partial(by_position, first=first, middle=middle, last=last)


def credit(paths: Iterable[Path], rule: Rule) -> list[Credit]:
    """Credit the touches of each converted path with its worth. Paths without touches credit nothing."""
    return [
        Credit(touch, share * path.worth)
        for path in paths
        if path.touches and path.worth
        for touch, share in zip(path.touches, rule(path), strict=True)
    ]


def uncredited(paths: Iterable[Path]) -> float:
    """The worth of conversions that no touch came before: nothing earns credit for them."""
    return sum(path.worth for path in paths if not path.touches)


def _only(index: int, count: int) -> list[float]:
    return [float(each == index) for each in range(count)]


def _led_to(path: Path, moment: datetime) -> int:
    return max(0, bisect_right([touch.at for touch in path.touches], moment) - 1)


def _scaled(shares: Sequence[float]) -> list[float]:
    total = sum(shares)
    return [share / total for share in shares] if total else [1 / len(shares)] * len(shares)
