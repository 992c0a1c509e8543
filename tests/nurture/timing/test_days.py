"""Days without a time of day: on the right day by the lead's clock and in UTC, in every zone."""

from datetime import UTC, date
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.timing.calendar import zone
from nurture.timing.days import day_in, middle_of, tells_days
from tests.search import examples

ZONES = sorted(available_timezones() - {"localtime"})


@examples(300)
@given(day=st.dates(date(1990, 1, 1), date(2100, 12, 31)), name=st.sampled_from(ZONES))
def test_a_day_is_that_day_by_the_leads_clock_and_in_utc(day: date, name: str) -> None:
    """No page tells the day before, in whatever zone it tells its times."""
    middle = middle_of(day, name)
    local = middle.astimezone(zone(name)).date()
    # Two islands went over the date line, and had no such day at all.
    assert local == day or (name, day) in {
        ("Pacific/Apia", date(2011, 12, 30)),
        ("Pacific/Fakaofo", date(2011, 12, 30)),
        ("Pacific/Kwajalein", date(1993, 8, 21)),
        ("Kwajalein", date(1993, 8, 21)),
        ("Pacific/Enderbury", date(1994, 12, 31)),
        ("Pacific/Kanton", date(1994, 12, 31)),
        ("Pacific/Kiritimati", date(1994, 12, 31)),
    }
    assert middle.astimezone(UTC).date() == day


@pytest.mark.parametrize("text", ["2026-05-02T09:30", "2026-05-02 09:30+02:00", "02.05.2026", "soon", ""])
def test_what_tells_a_time_of_day_is_no_day(text: str) -> None:
    """A moment stays a moment."""
    assert day_in(text) is None
    assert day_in(" 2026-05-02 ") == date(2026, 5, 2)


def test_a_format_tells_days_unless_it_asks_for_a_clock() -> None:
    """`time_format` of a mapping."""
    assert tells_days("%d.%m.%Y")
    assert not tells_days("%d.%m.%Y %H:%M")
