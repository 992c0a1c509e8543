"""Which names are one step's: renames that the journal remembers, that the code says, or that a piece's file says."""

from __future__ import annotations

from collections.abc import Iterable

from nurture.journey.facts import Renamed
from nurture.journey.matchers import Matcher
from nurture.journey.patterns import Pattern

_PIECE = "send:"


class Names:
    """Names of steps (`send:tip`), in groups of one step each: it is the same step under any of its names."""

    __slots__ = ("_groups",)

    def __init__(self, renames: Iterable[Renamed], former_pieces: Iterable[tuple[str, str]] = ()) -> None:
        self._groups: dict[str, tuple[str, ...]] = {}
        for was, now in former_pieces:
            self.join(_PIECE + was, _PIECE + now)
        for rename in renames:
            self.join(rename.was, rename.now)

    def join(self, was: str, now: str) -> None:
        """These two are one step's."""
        joined = tuple(dict.fromkeys((*self.of(was), *self.of(now))))
        for name in joined:
            self._groups[name] = joined

    def of(self, name: str) -> tuple[str, ...]:
        """All names of this step, itself included."""
        return self._groups.get(name) or (name,)

    def same(self, one: str, other: str) -> bool:
        """Whether both are one step's."""
        return one == other or other in self.of(one)

    def all_pieces(self, pieces: Iterable[str]) -> set[str]:
        """These pieces, under all their names."""
        if not self._groups:
            return set(pieces)
        return {name.removeprefix(_PIECE) for piece in pieces for name in self.of(_PIECE + piece)}

    def hears(self, matcher: Matcher, behaviour: str, subject: str) -> bool:
        """Whether the matcher matches this behaviour, under any name of the piece it is about."""
        if matcher.matches(behaviour, subject):
            return True
        if not self._groups:
            return False
        return any(matcher.matches(behaviour, name.removeprefix(_PIECE)) for name in self.of(_PIECE + subject))

    def patterns(self, matcher: Matcher) -> tuple[str, ...]:
        """The patterns of the matcher, and those for the other names of the pieces that it is about."""
        if not self._groups:
            return matcher.patterns
        behaviours = dict.fromkeys(Pattern.parse(pattern).name for pattern in matcher.patterns)
        others = [
            str(Pattern(behaviour, name.removeprefix(_PIECE)))
            for name in self._groups
            if name.startswith(_PIECE)
            for behaviour in behaviours
            if not matcher.matches(behaviour, name.removeprefix(_PIECE))
            and self.hears(matcher, behaviour, name.removeprefix(_PIECE))
        ]
        return (*matcher.patterns, *others)
