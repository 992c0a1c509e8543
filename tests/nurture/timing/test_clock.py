"""The clock with a speed: its laws, and how a speed is written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from nurture.errors import InputError
from nurture.timing.clock import Clock, describe_speed, parse_speed

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY_A_SECOND = Clock(real=START, virtual=START, speed=86_400.0)

moments = st.timedeltas(min_value=timedelta(days=-20_000), max_value=timedelta(days=20_000)).map(START.__add__)
near = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1)).map(START.__add__)
speeds = st.floats(min_value=0.01, max_value=86_400.0)
clocks = st.builds(Clock, real=near, virtual=moments, speed=speeds)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-12)), timezone(timedelta(hours=14))])))
def test_production_is_exactly_the_identity(moment: datetime) -> None:
    """Every aware datetime, the extremes of the calendar included, comes back as it is in both directions."""
    clock = Clock.production()
    assert clock.virtual_at(moment) == moment
    assert clock.virtual_at(moment).utcoffset() == moment.utcoffset()
    assert clock.real_at(moment) == moment


@given(st.timedeltas())
def test_production_durations_last_what_they_say(duration: timedelta) -> None:
    """At speed 1 a duration is itself."""
    assert Clock.production().real_duration(duration) == duration


@given(clocks, near, near)
def test_time_never_runs_backwards(clock: Clock, one: datetime, other: datetime) -> None:
    """A later real moment is never an earlier virtual one."""
    earlier, later = sorted((one, other))
    assert clock.virtual_at(earlier) <= clock.virtual_at(later)


@given(clocks, near, st.timedeltas(min_value=timedelta(days=-30), max_value=timedelta(days=30)))
def test_a_deadline_has_come_exactly_when_its_real_moment_has(clock: Clock, now: datetime, ahead: timedelta) -> None:
    """No timer set to a deadline's real moment fires a microsecond early, nor later than it must."""
    deadline = clock.virtual_at(now) + ahead
    real = clock.real_at(deadline)
    assert clock.virtual_at(real) >= deadline
    assert clock.virtual_at(real - timedelta(microseconds=1)) < deadline


@given(clocks, near)
def test_there_and_back_is_within_a_microsecond_of_the_slower_side(clock: Clock, moment: datetime) -> None:
    """Going to virtual time and back loses at most one virtual microsecond, seen in real time."""
    back = clock.real_at(clock.virtual_at(moment))
    assert timedelta(0) <= moment - back <= timedelta(microseconds=1 + 1 / clock.speed)


@given(clocks, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)))
def test_a_real_duration_is_the_way_between_two_real_moments(clock: Clock, duration: timedelta) -> None:
    """A wait counted from the clock's own start ends at its deadline's real moment."""
    assert clock.real + clock.real_duration(duration) == clock.real_at(clock.virtual + duration)


def test_at_a_day_a_second_a_week_lasts_seven_seconds() -> None:
    """The speed of the demo, in numbers."""
    assert DAY_A_SECOND.real_duration(timedelta(days=7)) == timedelta(seconds=7)
    assert DAY_A_SECOND.virtual_at(START + timedelta(seconds=7)) == START + timedelta(days=7)
    assert DAY_A_SECOND.real_at(START + timedelta(days=182)) == START + timedelta(seconds=182)


@given(clocks)
def test_a_clock_survives_json(clock: Clock) -> None:
    """A clock travels in a message and arrives equal."""
    adapter = TypeAdapter(Clock)
    assert adapter.validate_json(adapter.dump_json(clock)) == clock


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_clock_that_stands_or_runs_back_is_refused(speed: float) -> None:
    """A speed is a positive finite number."""
    with pytest.raises(InputError, match="positive"):
        Clock(real=START, virtual=START, speed=speed)


def test_a_clock_without_a_time_zone_is_refused() -> None:
    """A naive moment would be read in the zone of whatever machine runs it."""
    with pytest.raises(InputError, match="time zone"):
        Clock(real=START.replace(tzinfo=None), virtual=START, speed=1.0)


@pytest.mark.parametrize(
    ("text", "speed"),
    [
        ("1", 1.0),
        ("86400", 86_400.0),
        ("1d/s", 86_400.0),
        ("12h/s", 43_200.0),
        ("30m/s", 1_800.0),
        ("90s/s", 90.0),
        ("0.5 D/s", 43_200.0),
        ("2w/s", 1_209_600.0),
    ],
)
def test_a_speed_is_read_as_it_is_said(text: str, speed: float) -> None:
    """Units a second, or a plain factor."""
    assert parse_speed(text) == speed


@pytest.mark.parametrize(
    "text", ["", "fast", "1d", "d/s", "1d/m", "-1", "0", "0d/s", "nan", "inf", "1e9", "366d/s", "1" * 400]
)
def test_a_speed_that_means_nothing_is_refused_with_the_remedy(text: str) -> None:
    """The message shows what to write instead."""
    with pytest.raises(InputError, match=r"d/s"):
        parse_speed(text)


@pytest.mark.parametrize(
    ("speed", "words"),
    [
        (1.0, "real time"),
        (86_400.0, "1 day a second"),
        (43_200.0, "12 hours a second"),
        (5_400.0, "1.5 hours a second"),
        (0.5, "0.5 seconds a second"),
        (1_209_600.0, "2 weeks a second"),
    ],
)
def test_a_speed_is_said_in_plain_english(speed: float, words: str) -> None:
    """The largest unit that fits."""
    assert describe_speed(speed) == words
