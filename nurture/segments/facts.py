"""What is known of one lead when its segments are asked for: the same that the database holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Seen:
    """One behaviour by a person (none by a machine): its name, its subject, when, and the id that breaks ties."""

    name: str
    subject: str
    at: datetime
    id: str = ""


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """One lead. `traits` are its own and, where it has none of a name, its imported columns.

    `tracks`: those it is on now. `live`: neither erased nor merged into another; others are in no segment.
    """

    traits: Mapping[str, Any] = field(default_factory=dict)
    behaviours: tuple[Seen, ...] = ()
    tracks: frozenset[str] = frozenset()
    score: int = 0
    band: str = "cold"
    suppressed: bool = False
    live: bool = True
