"""Patterns: which behaviours count, as `behaviour:subject-glob`; strings on the wire, taken apart here alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from nurture.people.globs import glob_matches

ANY = "*"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A behaviour's name and a glob for its subject: `page.viewed:/pricing*`."""

    name: str
    glob: str = ANY

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """The pattern that this string is; a bare name stands for any subject."""
        return _parsed(text)

    @property
    def subject(self) -> str:
        """The glob, or "" for any subject."""
        return "" if self.glob == ANY else self.glob

    def matches(self, name: str, subject: str) -> bool:
        """Whether a behaviour with this name and subject counts; globs match without case."""
        return self.name == name and (self.glob in (ANY, subject) or glob_matches(self.glob, subject))

    def __str__(self) -> str:
        return f"{self.name}:{self.glob}"


def hears(patterns: Iterable[str], name: str, subject: str) -> bool:
    """Whether any of these patterns, as strings, matches a behaviour with this name and subject."""
    return any(_parsed(pattern).matches(name, subject) for pattern in patterns)


@lru_cache(maxsize=16_384)
def _parsed(text: str) -> Pattern:
    name, colon, glob = text.partition(":")
    return Pattern(name, glob if colon else ANY)
