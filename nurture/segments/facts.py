"""What is known of one lead when its segments are asked for: the same that the database holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Seen:
    """One behaviour by a person (none by a machine): name, subject, when, the id that breaks ties, its properties."""

    name: str
    subject: str
    at: datetime
    id: str = ""
    props: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """One lead. `traits` are its own and, where it has none of a name, its imported columns.

    `tracks`: those it is on now. `unwanted`: topics that it does not want to read about. `fit`: the points for who it
    is, within the score. `live`: neither erased nor merged into another; others are in no segment.
    """

    traits: Mapping[str, Any] = field(default_factory=dict)
    behaviours: tuple[Seen, ...] = ()
    tracks: frozenset[str] = frozenset()
    score: int = 0
    band: str = "cold"
    suppressed: bool = False
    fit: int = 0
    unwanted: frozenset[str] = frozenset()
    id: str = ""
    live: bool = True
