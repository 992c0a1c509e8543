"""The lead's own clock: zones, windows, holidays, and the days on which clocks jump."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import InputError
from nurture.timing.calendar import SendWindow, closes, is_holiday, is_open, local_time, next_open, spread, zone

EVERY_DAY = frozenset(range(7))
OFFICE = SendWindow()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("name", ["Mars/Base", "", "../etc/passwd", "Asia", "Europe/Berlin\0", "GMT+25:00"])
def test_an_unknown_zone_is_refused_with_an_example_of_a_good_one(name: str) -> None:
    """Whatever ZoneInfo raises for a bad name, the user reads one clear line."""
    with pytest.raises(InputError, match=r"unknown time zone .* use an IANA name such as 'Europe/Berlin'"):
        zone(name)


def test_a_naive_time_is_refused() -> None:
    """A naive datetime would silently be read in the machine's own zone."""
    with pytest.raises(InputError, match="no time zone"):
        local_time(datetime(2026, 3, 2, 9, tzinfo=UTC).replace(tzinfo=None), "UTC")


@pytest.mark.parametrize(
    ("start", "end", "weekdays"),
    [
        (time(9), time(9), EVERY_DAY),
        (time(22), time(6), EVERY_DAY),
        (time(9), time(17), frozenset[int]()),
        (time(9), time(17), frozenset({0, 7})),
        (time(9, tzinfo=UTC), time(17), EVERY_DAY),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(start: time, end: time, weekdays: frozenset[int]) -> None:
    """A window that never opens would hold every send for ever."""
    with pytest.raises(InputError, match="send window"):
        SendWindow(start, end, weekdays)


def test_the_window_opens_at_its_start_and_is_closed_at_its_end() -> None:
    """The hours include their start and exclude their end."""
    assert is_open(utc("2026-03-02T09:00"), "UTC", OFFICE, None)
    assert is_open(utc("2026-03-02T16:59:59"), "UTC", OFFICE, None)
    assert not is_open(utc("2026-03-02T17:00"), "UTC", OFFICE, None)
    assert not is_open(utc("2026-03-02T08:59:59"), "UTC", OFFICE, None)


def test_a_window_that_ends_at_midnight_is_open_to_the_end_of_the_day() -> None:
    """An end of 00:00 is the midnight that ends the day, so 00:00 to 00:00 never closes."""
    evening = SendWindow(time(18), time(0), EVERY_DAY)
    assert is_open(utc("2026-03-02T23:59:59"), "UTC", evening, None)
    assert not is_open(utc("2026-03-03T00:00"), "UTC", evening, None)
    assert closes(utc("2026-03-02T20:00"), evening, "UTC") == utc("2026-03-03T00:00")
    assert is_open(utc("2026-03-03T00:00"), "UTC", SendWindow(time(0), time(0), EVERY_DAY), None)


@pytest.mark.parametrize(
    ("day", "country", "expected"),
    [
        (date(2026, 1, 26), "IN", True),
        (date(2026, 1, 26), "in", True),
        (date(2026, 1, 27), "IN", False),
        (date(2026, 1, 26), "DE", False),
        (date(2026, 7, 3), "US", True),
        (date(2027, 12, 25), "GB", True),
        (date(2026, 12, 25), None, False),
        (date(2026, 12, 25), "", False),
        (date(2026, 12, 25), "ZZ", False),
        (date(2026, 12, 25), "utils", False),
    ],
)
def test_public_holidays_are_those_of_the_country(day: date, country: str | None, expected: bool) -> None:
    """Independence Day 2026 is a Saturday and observed on the Friday; an unknown country has no holidays."""
    assert is_holiday(day, country) is expected


@pytest.mark.parametrize(
    ("now", "zone_name", "country", "opens"),
    [
        ("2026-03-02T10:30", "Europe/Berlin", "DE", "2026-03-02T10:30"),
        ("2026-03-02T05:00", "Europe/Berlin", "DE", "2026-03-02T08:00"),
        ("2026-03-02T16:00", "Europe/Berlin", "DE", "2026-03-03T08:00"),
        ("2026-03-06T20:00", "Europe/Berlin", "DE", "2026-03-09T08:00"),
        ("2026-03-27T20:00", "Europe/Berlin", "DE", "2026-03-30T07:00"),
        ("2026-10-23T20:00", "Europe/Berlin", "DE", "2026-10-26T08:00"),
        ("2026-12-24T20:00", "Europe/Berlin", "DE", "2026-12-28T08:00"),
        ("2026-12-24T20:00", "Europe/Berlin", None, "2026-12-25T08:00"),
        ("2026-03-02T16:10", "Asia/Kolkata", "IN", "2026-03-03T03:30"),
        ("2026-03-01T20:00", "Pacific/Auckland", "NZ", "2026-03-01T20:00"),
        ("2026-03-02T20:00", "America/Los_Angeles", "US", "2026-03-02T20:00"),
    ],
)
def test_the_next_opening_is_on_the_leads_own_clock(now: str, zone_name: str, country: str | None, opens: str) -> None:
    """Office hours, weekends, Christmas, and a weekend in which the offset changes."""
    assert next_open(utc(now), zone_name, OFFICE, country) == utc(opens)


def test_a_window_whose_start_is_skipped_by_the_clock_opens_when_the_clock_jumps() -> None:
    """In Berlin 02:00 to 03:00 does not exist on 29 March 2026, so 02:30 to 05:00 opens at 03:00."""
    window = SendWindow(time(2, 30), time(5), EVERY_DAY)
    assert next_open(utc("2026-03-28T23:00"), "Europe/Berlin", window, None) == utc("2026-03-29T01:00")


def test_a_window_whose_start_is_skipped_at_midnight_opens_when_the_clock_jumps() -> None:
    """In Cairo the clock jumps from 00:00 to 01:00 on 26 April 2024."""
    window = SendWindow(time(0, 30), time(5), EVERY_DAY)
    assert next_open(utc("2024-04-25T20:00"), "Africa/Cairo", window, None) == utc("2024-04-25T22:00")


def test_a_window_that_is_wholly_skipped_opens_the_day_after() -> None:
    """02:10 to 02:50 does not come in Berlin on 29 March 2026."""
    window = SendWindow(time(2, 10), time(2, 50), EVERY_DAY)
    assert next_open(utc("2026-03-28T23:00"), "Europe/Berlin", window, None) == utc("2026-03-30T00:10")


def test_a_window_in_the_repeated_hour_opens_twice() -> None:
    """In Berlin 02:15 comes twice on 25 October 2026; what counts is what the clock shows."""
    window = SendWindow(time(2, 15), time(2, 30), EVERY_DAY)
    assert next_open(utc("2026-10-24T22:00"), "Europe/Berlin", window, None) == utc("2026-10-25T00:15")
    assert next_open(utc("2026-10-25T00:30"), "Europe/Berlin", window, None) == utc("2026-10-25T01:15")
    assert closes(utc("2026-10-25T01:15"), window, "Europe/Berlin") == utc("2026-10-25T01:30")


def test_a_clock_that_is_set_back_into_the_window_opens_it_again() -> None:
    """In Berlin on 25 October 2026, 01:30 to 02:15 closes and is open again when 03:00 becomes 02:00."""
    window = SendWindow(time(1, 30), time(2, 15), EVERY_DAY)
    assert next_open(utc("2026-10-25T00:20"), "Europe/Berlin", window, None) == utc("2026-10-25T01:00")


def test_a_day_that_a_country_skipped_is_skipped() -> None:
    """Samoa had no 30 December 2011."""
    window = SendWindow(weekdays=EVERY_DAY)
    assert next_open(utc("2011-12-30T04:00"), "Pacific/Apia", window, None) == utc("2011-12-30T19:00")


JUMPS = (
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25T01:00"),
    ("America/New_York", "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01T06:00"),
    ("Africa/Cairo", "2024-04-25T22:00"),
    ("Africa/Cairo", "2024-10-31T21:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("America/Santiago", "2026-09-06T04:00"),
    ("Asia/Kolkata", "2026-01-26T00:00"),
)


@given(
    jump=st.sampled_from(JUMPS),
    offset=st.integers(-24 * 60, 6 * 60),
    start=st.integers(0, 23 * 60 + 58),
    length=st.integers(1, 4 * 60),
)
def test_next_open_is_the_first_minute_that_is_open(
    jump: tuple[str, str], offset: int, start: int, length: int
) -> None:
    """Against a walk minute by minute around the moments at which clocks jump."""
    zone_name, at = jump
    now = utc(at) + timedelta(minutes=offset)
    end = min(start + length, 24 * 60 - 1)
    window = SendWindow(time(start // 60, start % 60), time(end // 60, end % 60), EVERY_DAY)
    walked = now
    while not window.start <= walked.astimezone(ZoneInfo(zone_name)).time() < window.end:
        walked += timedelta(minutes=1)
    assert next_open(now, zone_name, window, None) == walked


@given(seed=st.uuids().map(str), seconds=st.integers(1, 10**7))
def test_a_spread_is_whole_seconds_within_its_span_and_always_the_same(seed: str, seconds: int) -> None:
    """Never negative, never the whole span, and no randomness."""
    over = timedelta(seconds=seconds)
    drawn = spread(seed, over)
    assert timedelta(0) <= drawn < over
    assert drawn.microseconds == 0
    assert drawn == spread(seed, over)


def test_a_spread_is_the_same_in_every_process() -> None:
    """Pinned, because Python's own hash of a string differs from run to run."""
    assert spread("lead-1", timedelta(hours=2)) == timedelta(seconds=6089)


@pytest.mark.parametrize("over", [timedelta(0), timedelta(milliseconds=900), timedelta(hours=-1)])
def test_there_is_no_spread_over_less_than_a_second(over: timedelta) -> None:
    """A spread of nothing is no delay."""
    assert spread("lead-1", over) == timedelta(0)


def test_an_opening_window_is_no_stampede() -> None:
    """2,000 leads over two hours: every ten minutes get their fair share of about 167."""
    tens = [spread(f"lead-{n}", timedelta(hours=2)) // timedelta(minutes=10) for n in range(2000)]
    assert all(120 < tens.count(ten) < 220 for ten in range(12))
