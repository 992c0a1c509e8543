"""Bring a channel's credit down to its touches, so that every credit can be traced."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from nurture.measures.paths import Credit, Path, PathTouch


def spread(paths: Sequence[Path], shares: Mapping[str, float]) -> list[Credit]:
    """Credit the worth of all paths that have touches: to each channel its share, to its touches by their paths' worth.

    A channel that is on no converted path shares its credit among all its touches.
    """
    worth = sum(path.worth for path in paths if path.touches)
    weighed: dict[str, list[tuple[PathTouch, float]]] = defaultdict(list)
    for path in paths:
        for touch in path.touches:
            weighed[touch.channel].append((touch, path.worth / len(path.touches)))
    found: list[Credit] = []
    for channel, touches in weighed.items():
        total = sum(weight for _, weight in touches)
        amount = worth * shares[channel]
        if total:
            found += [Credit(touch, amount * weight / total) for touch, weight in touches if weight]
        elif amount:
            found += [Credit(touch, amount / len(touches)) for touch, _ in touches]
    return found
