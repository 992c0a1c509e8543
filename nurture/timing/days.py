"""Days without a time of day: "lost on 2 May" is a day in the lead's own calendar, and never a clock's time."""

from datetime import UTC, date, datetime, time, timedelta

from nurture.timing.calendar import zone

_DAY = timedelta(days=1)
_OF_A_CLOCK = ("%H", "%I", "%M", "%S", "%X", "%c", "%s", "%T", "%R", "%r")


def day_in(text: str) -> date | None:
    """The day that a text such as `2026-05-02` names; None for a text with a time of day, or that is no date."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def tells_days(time_format: str) -> bool:
    """Whether what `strptime` reads by this format is a day, without a time of day."""
    return not any(mark in time_format for mark in _OF_A_CLOCK)


def middle_of(day: date, zone_name: str) -> datetime:
    """A moment that lies on this day by the clocks of the zone, and in UTC too: the middle of what both call so."""
    starts = (datetime.combine(day, time(), UTC), datetime.combine(day, time(), zone(zone_name)).astimezone(UTC))
    return max(starts) + (min(starts) + _DAY - max(starts)) / 2
