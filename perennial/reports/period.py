"""What a report is about: a period, in the company's own time zone, and tracks."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, true

from nurture.errors import InputError

AT_ONCE = 5_000
"""How many rows of a long answer are in memory at a time; one by one costs several times as much."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` up to but not including `until`, both in UTC; days and weeks are those of `zone`."""

    since: datetime
    until: datetime
    zone: ZoneInfo

    @classmethod
    def of_days(cls, first: date, last: date, zone: ZoneInfo, now: datetime) -> "Period":
        """Whole days, the last one included; nothing after `now`. Raises InputError for a period that is empty."""
        since = datetime.combine(first, time(), zone).astimezone(UTC)
        if since >= now:
            raise InputError(f"the period begins on {first}, and it is {now:%Y-%m-%d %H:%M} UTC by the clock")
        if last < first:
            raise InputError(f"the period from {first} to {last} ends before it begins; swap --from and --to")
        until = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
        return cls(since, min(until, now), zone)

    def holds(self, at: datetime | None) -> bool:
        """Whether a moment lies in it."""
        return at is not None and self.since <= at < self.until

    def week_of(self, at: datetime) -> date:
        """The Monday of a moment's week."""
        day = at.astimezone(self.zone).date()
        return day - timedelta(days=day.weekday())

    @property
    def days(self) -> int:
        """How many days it has, the last one begun counted whole."""
        return max(1, -((self.since - self.until) // timedelta(days=1)))

    def __str__(self) -> str:
        first, last = (at.astimezone(self.zone) for at in (self.since, self.until - timedelta(microseconds=1)))
        return f"{first:%d %b %Y} to {last:%d %b %Y}"


def on_tracks(column: Any, tracks: Collection[str] | None) -> ColumnElement[bool]:
    """Whether a column names one of these tracks, by all names that they have had; None: all tracks."""
    found: ColumnElement[bool] = true() if tracks is None else column.in_(tracks)
    return found
