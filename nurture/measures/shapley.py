"""Credit channels by their Shapley value: what each adds, averaged over every order in which they may come.

Shapley, *A value for n-person games* (1953). For paths the value of a set of channels is the worth of the conversions
whose path has touches of these channels alone. With this value function a conversion is shared equally by the distinct
channels of its path, however many channels there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations
from math import factorial

from nurture.errors import InputError
from nurture.measures.paths import Credit, Path

_MOST = 16


def shapley_values(value: Mapping[frozenset[str], float]) -> dict[str, float]:
    """The Shapley value of each player, from the value of each set of players; a set that is not named is worth 0.

    Raises InputError for more than 16 players: they have 65,536 sets.
    """
    players = sorted(frozenset().union(*value)) if value else []
    count = len(players)
    if count > _MOST:
        raise InputError(f"{count} channels have too many sets; take at most {_MOST}, or the value of paths")
    found: dict[str, float] = {}
    for player in players:
        others = [each for each in players if each != player]
        found[player] = sum(
            factorial(size) * factorial(count - size - 1) / factorial(count) * _added(value, frozenset(before), player)
            for size in range(count)
            for before in combinations(others, size)
        )
    return found


def worth_of_sets(paths: Iterable[Path]) -> dict[frozenset[str], float]:
    """The value function of paths, for every set of their channels."""
    exactly: dict[frozenset[str], float] = defaultdict(float)
    for path in paths:
        exactly[frozenset(path.channels)] += path.worth
    players = sorted(frozenset().union(*exactly))
    return {
        frozenset(chosen): sum(worth for channels, worth in exactly.items() if channels and channels <= set(chosen))
        for size in range(len(players) + 1)
        for chosen in combinations(players, size)
    }


def shapley(paths: Iterable[Path]) -> list[Credit]:
    """Credit each converted path: the same to each distinct channel, shared by the channel's touches."""
    found: list[Credit] = []
    for path in paths:
        channels = path.channels
        for touch in path.touches if path.worth else ():
            share = 1 / len(set(channels)) / channels.count(touch.channel)
            found.append(Credit(touch, path.worth * share))
    return found


def _added(value: Mapping[frozenset[str], float], before: frozenset[str], player: str) -> float:
    return value.get(before | {player}, 0.0) - value.get(before, 0.0)
