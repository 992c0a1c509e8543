"""A small world to measure: who entered, got mail, and did what, by days after the first."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from models.base import Base
from models.journeys import FactRow, HandOffRow
from models.leads import BehaviourRow
from perennial.reports.period import Period
from tests.builders import enrolment, person, touch

FIRST = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""A Monday."""


def day(number: float) -> datetime:
    """A moment so many days after the first."""
    return FIRST + timedelta(days=number)


def period(since: float = 0, until: float = 100) -> Period:
    """Days of the world, in UTC."""
    return Period(day(since), day(until), ZoneInfo("UTC"))


def enters(lead: str, at: float = 0, track: str = "new-lead", **changes: Any) -> list[Base]:
    """A lead that enters a track."""
    return [person(lead, at=day(at), **changes), enrolment(track, lead, at=day(at))]


def mail(lead: str, piece: str, at: float, **changes: Any) -> Base:
    """A mail that the provider took."""
    track = changes.pop("track", "new-lead")
    named = {"piece": piece, "step_key": f"send:{piece}:{at}", "state": "accepted"} | changes
    return touch(f"{lead}-{piece}-{at}"[:32], track, lead, at=day(at), **named)


def does(lead: str, name: str, at: float, touch_id: str | None = None, **changes: Any) -> Base:
    """What a lead, or sales about it, did."""
    named = {"subject": "", "props": {}, "bot": False} | changes
    id_ = named.pop("id", f"{lead} {name} {at}")
    return BehaviourRow(id=id_, lead_id=lead, name=name, touch_id=touch_id, at=day(at), received_at=day(at), **named)


def scored(lead: str, at: float, score: int, seq: int = 0, track: str = "new-lead") -> Base:
    """A fact that says a score."""
    fact = {"kind": "scored", "score": score, "stage": "decision", "at": day(at).isoformat()}
    return FactRow(enrolment_id=f"{track}/{lead}/1", seq=seq, kind="scored", key="", at=day(at), fact=fact)


def offered(lead: str, at: float, track: str = "new-lead") -> Base:
    """An offer to sales."""
    of = f"{track}/{lead}/1"
    return HandOffRow(
        id=f"{lead}-{at}",
        enrolment_id=of,
        lead_id=lead,
        step_key=f"hand_off:{at}",
        to="sales",
        reason="",
        score=80,
        at=day(at),
    )
