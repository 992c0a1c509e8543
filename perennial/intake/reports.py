"""A behaviour as it is reported, and what becomes of the report."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nurture.people.addresses import hide_addresses
from nurture.people.behaviours import behaviour_kind
from nurture.people.pages import page_of

LONGEST_SUBJECT = 200
LONGEST_REPORT_ID = 64


@dataclass(frozen=True, slots=True)
class Report:
    """A behaviour of a lead. `id` names it for good: reported twice, it counts once.

    It happened `at`, and we heard of it at `received_at`: when it is recorded, if that is not given. It may be
    `attached` to its lead later, once a visitor says who it is. `history` is told to no journey, however new it is.
    """

    id: str
    lead_id: str
    name: str
    props: dict[str, Any]
    at: datetime
    touch_id: str | None = None
    bot: bool = False
    received_at: datetime | None = None
    attached: bool = False
    history: bool = False

    @property
    def subject(self) -> str:
        """The one property that journeys match on; empty if the kind has none. Of a page it is the path."""
        wanted = behaviour_kind(self.name).subject
        value = str(self.props.get(wanted, "")) if wanted else ""
        if wanted == "path":
            value = page_of(value)
        return hide_addresses(value)[:LONGEST_SUBJECT]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a report: whether it was new, the score after it, whose journeys to tell, the tracks it starts.

    `listening` are ids of enrolments, `looking` those that only look at the score again: it happened before they began.
    `waiting` counts the journeys that did not listen for it; they read it at their next decision. Of `history` no
    journey hears.
    """

    report: Report
    new: bool
    score: int
    listening: tuple[str, ...] = ()
    entering: tuple[str, ...] = ()
    waiting: int = 0
    looking: tuple[str, ...] = ()
    history: bool = False

    @property
    def told(self) -> tuple[str, ...]:
        """The tracks whose journeys are told at once."""
        return tuple(enrolment_id.partition("/")[0] for enrolment_id in self.listening)
