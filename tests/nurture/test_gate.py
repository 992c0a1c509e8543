"""The last check before a send: each rule alone, then the laws of all of them together."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import InputError
from nurture.gate import (
    Allow,
    Caps,
    ConsentState,
    Defer,
    GateRules,
    LeadState,
    PastTouch,
    Refuse,
    Rival,
    SendRequest,
    check_caps,
    check_consent,
    check_erasure,
    check_exit,
    check_priority,
    check_suppression,
    check_window,
    judge,
)
from nurture.timing.calendar import SendWindow

EVERY_DAY = frozenset(range(7))
DAY = timedelta(days=1)
GRANTED = LeadState("granted")
PROMPT = GateRules(spread=timedelta(0))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ask_at(text: str, zone_name: str = "UTC", country: str | None = None, priority: int = 1) -> SendRequest:
    return SendRequest(utc(text), "lead-1", "new-lead", priority, zone_name, country)


def touched(*times: str) -> tuple[PastTouch, ...]:
    return tuple(PastTouch(utc(text), f"track-{n}") for n, text in enumerate(times))


def test_a_lead_in_good_standing_is_allowed_inside_the_window() -> None:
    """Monday, ten o'clock, nothing in the way."""
    assert judge(ask_at("2026-03-02T10:00"), GRANTED, GateRules()) == Allow()


def test_an_erased_lead_is_refused() -> None:
    """Erasure comes first, whatever else is on record."""
    assert check_erasure(GRANTED) is None
    assert check_erasure(LeadState("none", erased=True)) == Refuse("erased at the lead's request")


def test_a_suppressed_lead_is_refused_with_every_cause() -> None:
    """Support reads all the causes at once."""
    assert check_suppression(GRANTED) is None
    standing = LeadState("granted", suppressions=("complaint", "hard_bounce"))
    assert check_suppression(standing) == Refuse("suppressed: complaint, hard_bounce")


@pytest.mark.parametrize(
    ("consent", "answer"),
    [
        ("granted", None),
        ("withdrawn", Refuse("consent withdrawn")),
        ("none", Refuse("no consent on record")),
    ],
)
def test_only_granted_consent_lets_a_touch_out(consent: ConsentState, answer: Refuse | None) -> None:
    """No record of consent is no consent."""
    assert check_consent(LeadState(consent)) == answer


def test_a_lead_who_left_the_track_is_refused() -> None:
    """The reason is the one the lead left for."""
    assert check_exit(GRANTED) is None
    assert check_exit(LeadState("granted", exited="became a customer")) == Refuse("exited: became a customer")


def test_refusals_come_in_order_and_before_any_delay() -> None:
    """At night, over every cap, the gravest reason is the one that is named."""
    ask = ask_at("2026-03-02T23:00")
    standing = LeadState("withdrawn", ("opt_out",), True, "opted out", touched("2026-03-02T22:00"))
    assert judge(ask, standing, GateRules()) == Refuse("erased at the lead's request")
    standing = replace(standing, erased=False)
    assert judge(ask, standing, GateRules()) == Refuse("suppressed: opt_out")
    standing = replace(standing, suppressions=())
    assert judge(ask, standing, GateRules()) == Refuse("consent withdrawn")
    standing = replace(standing, consent="granted")
    assert judge(ask, standing, GateRules()) == Refuse("exited: opted out")
    standing = replace(standing, exited=None)
    assert isinstance(judge(ask, standing, GateRules()), Defer)


@pytest.mark.parametrize(
    ("touches", "until", "reason"),
    [
        (("2026-03-11T09:00",), "2026-03-12T09:00", "cap: 1 touch in 24 hours"),
        (
            ("2026-03-05T11:00", "2026-03-07T09:00", "2026-03-09T09:00"),
            "2026-03-12T11:00",
            "cap: 3 touches in 7 days",
        ),
        (
            ("2026-03-09T09:00", "2026-03-05T11:00", "2026-03-07T09:00"),
            "2026-03-12T11:00",
            "cap: 3 touches in 7 days",
        ),
        (
            ("2026-03-05T11:00", "2026-03-07T09:00", "2026-03-11T09:00"),
            "2026-03-12T11:00",
            "cap: 3 touches in 7 days",
        ),
        (
            ("2026-03-04T11:00", "2026-03-07T09:00", "2026-03-11T09:00"),
            "2026-03-12T09:00",
            "cap: 1 touch in 24 hours",
        ),
    ],
)
def test_a_cap_holds_until_the_oldest_touch_leaves_its_window(
    touches: tuple[str, ...], until: str, reason: str
) -> None:
    """Touches of all tracks count, in any order, and the cap that holds longest is named."""
    assert check_caps(utc("2026-03-11T10:00"), touched(*touches), Caps()) == Defer(utc(until), reason)


def test_the_monthly_cap_counts_thirty_days() -> None:
    """Ten touches, three days apart, are the month's."""
    now = utc("2026-03-31T10:00")
    touches = tuple(PastTouch(now - timedelta(days=3 * n, hours=-1), "a") for n in range(1, 11))
    assert check_caps(now, touches, Caps()) == Defer(now + timedelta(hours=1), "cap: 10 touches in 30 days")
    assert check_caps(now, touches[:-1], Caps()) is None


def test_a_touch_exactly_one_window_old_no_longer_counts() -> None:
    """A lead may be written to at the same time each day."""
    assert check_caps(utc("2026-03-11T10:00"), touched("2026-03-10T10:00"), Caps()) is None
    assert check_caps(utc("2026-03-11T10:00"), touched("2026-03-10T10:00:01"), Caps()) is not None


def test_a_cap_that_was_tightened_waits_until_enough_touches_have_left() -> None:
    """Three touches this week under a new cap of two: the second oldest has to leave as well."""
    touches = touched("2026-03-05T10:00", "2026-03-07T10:00", "2026-03-09T10:00")
    held = check_caps(utc("2026-03-11T10:00"), touches, Caps(per_week=2))
    assert held == Defer(utc("2026-03-14T10:00"), "cap: 2 touches in 7 days")


def test_the_daily_cap_is_elapsed_time_and_not_the_wall_clock() -> None:
    """Berlin's 29 March 2026 has 23 hours, so 24 hours after ten o'clock is eleven."""
    rules = GateRules(window=SendWindow(weekdays=EVERY_DAY), spread=timedelta(0))
    standing = LeadState("granted", touches=touched("2026-03-28T09:00"))
    verdict = judge(ask_at("2026-03-29T08:30", "Europe/Berlin"), standing, rules)
    assert verdict == Defer(utc("2026-03-29T09:00"), "cap: 1 touch in 24 hours")
    assert utc("2026-03-29T09:00").astimezone(ZoneInfo("Europe/Berlin")).hour == 11


def test_a_cap_that_frees_at_night_waits_for_the_morning_at_once() -> None:
    """One deferral, not one to the night and another to the morning; the cap stays the reason."""
    standing = LeadState("granted", touches=touched("2026-03-10T20:00"))
    verdict = judge(ask_at("2026-03-11T10:00"), standing, PROMPT)
    assert verdict == Defer(utc("2026-03-12T09:00"), "cap: 1 touch in 24 hours")


def test_a_cap_below_one_is_refused() -> None:
    """A cap of nothing would hold every touch for ever."""
    with pytest.raises(InputError, match="pause the track"):
        Caps(per_week=0)


def test_a_negative_spread_is_refused() -> None:
    """It would send before the window opens."""
    with pytest.raises(InputError, match="spread"):
        GateRules(spread=timedelta(seconds=-1))


@pytest.mark.parametrize(
    ("priority", "due_at", "holds"),
    [
        (2, "2026-03-11T10:00", True),
        (2, "2026-03-11T11:00", True),
        (2, "2026-03-11T11:00:01", False),
        (2, "2026-03-08T10:00", True),
        (2, "2026-03-04T09:59", False),
        (1, "2026-03-11T10:00", False),
        (0, "2026-03-11T10:00", False),
    ],
)
def test_a_track_gives_way_to_a_more_important_one_that_is_about_to_send(
    priority: int, due_at: str, holds: bool
) -> None:
    """Strictly more important, due within the hour, and not so long overdue that it must be stuck."""
    held = check_priority(ask_at("2026-03-11T10:00"), (Rival("lost-deal", priority, utc(due_at)),))
    assert held == (Defer(utc("2026-03-12T10:00"), "priority: lost-deal goes first") if holds else None)


def test_giving_way_on_a_friday_waits_for_monday() -> None:
    """A day later is a Saturday, on which nothing is sent; the most important rival is named."""
    now = utc("2026-03-13T10:00")
    standing = LeadState("granted", rivals=(Rival("renewal", 5, now), Rival("event", 7, now)))
    verdict = judge(ask_at("2026-03-13T10:00"), standing, PROMPT)
    assert verdict == Defer(utc("2026-03-16T09:00"), "priority: event goes first")


def test_caps_are_asked_before_priority() -> None:
    """A lead whose week is full gets the day on which the cap frees, not a day after day of giving way."""
    touches = touched("2026-03-10T09:00", "2026-03-11T09:00", "2026-03-12T09:00")
    rivals = (Rival("lost-deal", 2, utc("2026-03-12T10:00")),)
    verdict = judge(ask_at("2026-03-12T10:00"), LeadState("granted", touches=touches, rivals=rivals), PROMPT)
    assert verdict == Defer(utc("2026-03-17T09:00"), "cap: 3 touches in 7 days")


@pytest.mark.parametrize(
    ("ask", "until", "reason"),
    [
        (
            ask_at("2026-03-02T16:10", "Asia/Kolkata", "IN"),
            "2026-03-03T03:30",
            "quiet hours: 21:40 in Asia/Kolkata",
        ),
        (
            ask_at("2026-03-07T10:00", "Europe/Berlin", "DE"),
            "2026-03-09T08:00",
            "closed day: Saturday in Europe/Berlin",
        ),
        (
            ask_at("2026-01-26T06:00", "Asia/Kolkata", "IN"),
            "2026-01-27T03:30",
            "public holiday: 26 January in IN",
        ),
        (
            ask_at("2026-03-27T07:30", "Europe/Berlin", "DE"),
            "2026-03-27T08:00",
            "quiet hours: 08:30 in Europe/Berlin",
        ),
        (
            ask_at("2026-03-30T06:30", "Europe/Berlin", "DE"),
            "2026-03-30T07:00",
            "quiet hours: 08:30 in Europe/Berlin",
        ),
    ],
)
def test_a_touch_outside_the_window_waits_for_the_leads_own_morning(ask: SendRequest, until: str, reason: str) -> None:
    """Nights, weekends, holidays; Berlin's nine o'clock is an hour earlier in UTC after the clock changed."""
    assert check_window(ask, PROMPT) == Defer(utc(until), reason)


def test_half_past_nine_in_summer_time_is_inside_the_window() -> None:
    """The same UTC time was too early the Friday before."""
    assert check_window(ask_at("2026-03-30T07:30", "Europe/Berlin", "DE"), PROMPT) is None


def test_holidays_count_only_where_the_rules_say_so() -> None:
    """A track may write on holidays."""
    ask = ask_at("2026-01-26T06:00", "Asia/Kolkata", "IN")
    assert check_window(ask, GateRules(holidays=False)) is None
    night = ask_at("2026-01-25T20:00", "Asia/Kolkata", "IN")
    held = check_window(night, GateRules(holidays=False, spread=timedelta(0)))
    assert held is not None
    assert held.until == utc("2026-01-26T03:30")


def test_sends_that_wait_for_the_window_are_spread_over_its_start() -> None:
    """Fifty leads who all wait for nine o'clock get moments of their own, within two hours."""
    asks = [replace(ask_at("2026-03-02T05:00"), lead_id=f"lead-{n}") for n in range(50)]
    held = [check_window(ask, GateRules()) for ask in asks]
    untils = {answer.until for answer in held if answer}
    assert len(untils) > 45
    assert all(utc("2026-03-02T09:00") <= until < utc("2026-03-02T11:00") for until in untils)


def test_a_spread_longer_than_the_window_stays_inside_it() -> None:
    """A window of twenty minutes is not overrun by a spread of two hours."""
    rules = GateRules(window=SendWindow(time(9), time(9, 20)))
    asks = [replace(ask_at("2026-03-02T05:00"), lead_id=f"lead-{n}") for n in range(50)]
    held = [check_window(ask, rules) for ask in asks]
    assert len({answer.until for answer in held if answer}) > 40
    assert all(answer and answer.until < utc("2026-03-02T09:20") for answer in held)


def test_a_clock_that_is_set_back_does_not_spread_a_touch_into_quiet_hours() -> None:
    """In New York on 1 November 2026 a window from 01:30 closes again when 02:00 becomes 01:00."""
    window = SendWindow(time(1, 30), time(4), EVERY_DAY)
    rules = GateRules(window=window, spread=timedelta(hours=1))
    for n in range(50):
        held = check_window(replace(ask_at("2026-11-01T04:00", "America/New_York"), lead_id=f"lead-{n}"), rules)
        assert held is not None
        assert inside(held.until, "America/New_York", window)


def test_a_full_pace_puts_a_touch_off_into_the_window() -> None:
    """After all else: room at night is room the next morning."""
    full = replace(GRANTED, room_at=utc("2026-03-02 10:07"))
    assert judge(ask_at("2026-03-02 10:00"), full, PROMPT) == Defer(utc("2026-03-02 10:07"), "sending pace")
    assert judge(ask_at("2026-03-02 10:07"), full, PROMPT) == Allow()
    late = replace(GRANTED, room_at=utc("2026-03-02 23:00"))
    assert judge(ask_at("2026-03-02 10:00"), late, PROMPT) == Defer(utc("2026-03-03 09:00"), "sending pace")


def test_an_unknown_time_zone_is_an_input_error() -> None:
    """Guessing a zone would write to a lead at night."""
    with pytest.raises(InputError, match="Mars/Base"):
        judge(ask_at("2026-03-02T10:00", "Mars/Base"), GRANTED, GateRules())


def inside(moment: datetime, zone_name: str, window: SendWindow) -> bool:
    local = moment.astimezone(ZoneInfo(zone_name))
    return local.weekday() in window.weekdays and window.start <= local.time() < window.end


START = utc("2026-01-01T00:00")
ZONES = st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"])
COUNTRIES = st.sampled_from([None, "IN", "US", "DE", "JP"])
MOMENTS = st.integers(0, 365 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))


@st.composite
def windows(draw: st.DrawFn) -> SendWindow:
    start = draw(st.integers(0, 23 * 60))
    end = draw(st.integers(start + 1, 24 * 60 - 1))
    days = draw(st.frozensets(st.integers(0, 6), min_size=1))
    return SendWindow(time(start // 60, start % 60), time(end // 60, end % 60), days)


@st.composite
def rule_sets(draw: st.DrawFn) -> GateRules:
    caps = Caps(draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.integers(1, 8)))
    return GateRules(caps, draw(windows()), draw(st.booleans()), timedelta(minutes=draw(st.integers(0, 300))))


TOUCHES = st.lists(st.builds(PastTouch, MOMENTS, st.sampled_from("abc")), max_size=15).map(tuple)
RIVALS = st.lists(st.builds(Rival, st.sampled_from("xyz"), st.integers(0, 3), MOMENTS), max_size=3).map(tuple)
ASKS = st.builds(SendRequest, MOMENTS, st.uuids().map(str), st.just("new-lead"), st.integers(0, 3), ZONES, COUNTRIES)


@given(ask=ASKS, touches=TOUCHES, rivals=RIVALS, rules=rule_sets())
def test_every_answer_is_inside_the_window_and_every_deferral_is_ahead(
    ask: SendRequest, touches: tuple[PastTouch, ...], rivals: tuple[Rival, ...], rules: GateRules
) -> None:
    """An Allow is given inside the window only, and a Defer names a later moment inside it."""
    match judge(ask, LeadState("granted", touches=touches, rivals=rivals), rules):
        case Allow():
            assert inside(ask.now, ask.time_zone, rules.window)
        case Defer(until):
            assert until > ask.now
            assert inside(until, ask.time_zone, rules.window)
        case Refuse(reason):
            pytest.fail(f"a lead in good standing was refused: {reason}")


@given(ask=ASKS, touches=TOUCHES, rules=rule_sets())
def test_one_deferral_is_enough_when_nothing_else_happens(
    ask: SendRequest, touches: tuple[PastTouch, ...], rules: GateRules
) -> None:
    """Asked again at the moment it named, with no new touch and no rival, the gate allows."""
    standing = LeadState("granted", touches=touches)
    verdict = judge(ask, standing, rules)
    if isinstance(verdict, Defer):
        verdict = judge(replace(ask, now=verdict.until), standing, rules)
    assert verdict == Allow()


@given(
    first=ASKS,
    gaps=st.lists(st.integers(0, 5 * 24 * 60), min_size=1, max_size=20),
    rivals=RIVALS,
    rules=rule_sets(),
)
def test_caps_are_never_exceeded_and_every_touch_goes_out_in_the_end(
    first: SendRequest, gaps: list[int], rivals: tuple[Rival, ...], rules: GateRules
) -> None:
    """A sequence of asks, each deferred until it is allowed, fills no window beyond its cap."""
    touches: tuple[PastTouch, ...] = ()
    now = first.now
    for gap in gaps:
        now += timedelta(minutes=gap)
        now = driven(replace(first, now=now), LeadState("granted", touches=touches, rivals=rivals), rules)
        touches += (PastTouch(now, first.track),)
    for limit, length in ((rules.caps.per_day, 1), (rules.caps.per_week, 7), (rules.caps.per_month, 30)):
        for last in touches:
            counting = [t for t in touches if last.at - timedelta(days=length) < t.at <= last.at]
            assert len(counting) <= limit


def driven(ask: SendRequest, standing: LeadState, rules: GateRules) -> datetime:
    """The moment at which the touch goes out, when each deferral is waited for."""
    # Each of three rivals holds for at most eight days, a day or more at a time; then caps and window.
    for _ in range(3 * 9 + 2):
        match judge(ask, standing, rules):
            case Allow():
                return ask.now
            case Defer(until):
                ask = replace(ask, now=until)
            case Refuse(reason):
                pytest.fail(f"a lead in good standing was refused: {reason}")
    pytest.fail("the deferrals do not end")
