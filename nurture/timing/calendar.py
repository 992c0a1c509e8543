"""Time-zone and calendar arithmetic: when a lead's own clock allows a touch.

Every moment that goes in or comes out is an aware datetime, and comes out in UTC. A wall-clock time that a
daylight-saving change skips or repeats is judged by what the lead's clock shows at that moment.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from hashlib import sha256
from zoneinfo import ZoneInfo

import holidays

from nurture.errors import InputError

_HORIZON_DAYS = 400
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The IANA time zone called `name`; raises InputError that says how one is written."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError):
        raise InputError(
            f"unknown time zone {name!r}; use an IANA name such as 'Europe/Berlin', 'Asia/Kolkata' or 'UTC'"
        ) from None


@dataclass(frozen=True, slots=True)
class SendWindow:
    """The hours and weekdays in which a lead may be written to, by the lead's own clock.

    Open from `start` up to, not including, `end`; an `end` of 00:00 is the midnight that ends the day, so
    00:00 to 00:00 is the whole day. `weekdays` counts from Monday = 0. Raises InputError for a window that
    never opens or that runs over midnight.
    """

    start: time = time(9)
    end: time = time(17)
    weekdays: frozenset[int] = frozenset(range(5))

    def __post_init__(self) -> None:
        if self.start.tzinfo or self.end.tzinfo:
            raise InputError("a send window is on the lead's own clock; give its times without a time zone")
        if self.end != time.min and self.start >= self.end:
            raise InputError(
                f"send window {self.start:%H:%M}-{self.end:%H:%M} never opens; it must start before it ends"
            )
        if not self.weekdays or not self.weekdays <= frozenset(range(7)):
            raise InputError("a send window needs at least one weekday, each from 0 (Monday) to 6 (Sunday)")

    def covers(self, clock: time) -> bool:
        """Whether the wall-clock time is within the hours, whatever the day."""
        return self.start <= clock and (clock < self.end or self.end == time.min)


def local_time(moment: datetime, zone_name: str) -> datetime:
    """`moment` on the clock of the zone; raises InputError for a naive datetime or an unknown zone."""
    if moment.tzinfo is None:
        raise InputError(f"{moment.isoformat()} has no time zone; pass an aware datetime in UTC")
    return moment.astimezone(zone(zone_name))


@lru_cache(maxsize=2048)
def _public_holidays(country: str, year: int) -> frozenset[date]:
    code = country.strip().upper()
    if code not in holidays.list_supported_countries(include_aliases=False):
        return frozenset()
    return frozenset(holidays.country_holidays(code, years=year))


def is_holiday(day: date, country: str | None) -> bool:
    """Whether `day` is a nationwide public holiday, or the day one is observed on.

    `country` is an ISO 3166 alpha-2 code in either case. No country, or one that the `holidays` library does
    not know, has no holidays.
    """
    return country is not None and day in _public_holidays(country, day.year)


def is_open(moment: datetime, zone_name: str, window: SendWindow, country: str | None) -> bool:
    """Whether the lead's clock at `moment` is in the window, on a weekday of it and on no public holiday."""
    local = local_time(moment, zone_name)
    return local.weekday() in window.weekdays and window.covers(local.time()) and not is_holiday(local.date(), country)


def next_open(now: datetime, zone_name: str, window: SendWindow, country: str | None) -> datetime:
    """The first moment, in UTC, not before `now`, at which the window is open.

    Raises InputError if holidays leave no open day in the next 400 days.
    """
    if is_open(now, zone_name, window, country):
        return now.astimezone(UTC)
    day = local_time(now, zone_name).date()
    for _ in range(_HORIZON_DAYS):
        for edge in _edges(day, zone(zone_name), window.start):
            if edge > now and is_open(edge, zone_name, window, country):
                return edge
        day += _DAY
    raise InputError(
        f"the send window has no open day in {_HORIZON_DAYS} days in {zone_name} ({country}); give it more weekdays"
    )


def closes(moment: datetime, window: SendWindow, zone_name: str) -> datetime:
    """The moment, in UTC, at which the hours that are open at `moment` end on that day's clock."""
    local = local_time(moment, zone_name)
    last_day = local.date() + _DAY if window.end == time.min else local.date()
    end = datetime.combine(last_day, window.end, local.tzinfo)
    return end.replace(fold=local.fold).astimezone(UTC)


def spread(seed: str, over: timedelta) -> timedelta:
    """A delay of whole seconds, from 0 up to but not including `over`; a seed always gets the same one.

    Seeds are spread evenly, so an opening window is no stampede.
    """
    seconds = int(over.total_seconds())
    if seconds <= 0:
        return timedelta(0)
    drawn = int.from_bytes(sha256(seed.encode()).digest()[:8], "big")
    return timedelta(seconds=drawn % seconds)


def _edges(day: date, tz: ZoneInfo, start: time) -> list[datetime]:
    """The moments of a local day at which a window starting at `start` can open, in UTC and in order.

    The start itself is one (two, when the clock shows it twice); so is any moment at which the clock jumps.
    """
    midnight = datetime.combine(day, time.min, tz).astimezone(UTC)
    next_midnight = datetime.combine(day + _DAY, time.min, tz).astimezone(UTC)
    opens = datetime.combine(day, start, tz)
    edges = {opens.astimezone(UTC), opens.replace(fold=1).astimezone(UTC)}
    if _offset(midnight, tz) != _offset(next_midnight, tz):
        edges.add(_jump(midnight, next_midnight, tz))
    return sorted(edges)


def _jump(before: datetime, after: datetime, tz: ZoneInfo) -> datetime:
    """The first second of the UTC offset that holds at `after` and not at `before`."""
    old = _offset(before, tz)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if _offset(middle, tz) == old:
            before = middle
        else:
            after = middle
    return after


def _offset(moment: datetime, tz: ZoneInfo) -> timedelta | None:
    return moment.astimezone(tz).utcoffset()
