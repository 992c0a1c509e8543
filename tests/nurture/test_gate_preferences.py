"""What a lead prefers, in the gate: a break, and topics it wants nothing on."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.gate import (
    Allow,
    Caps,
    Defer,
    GateRules,
    LeadState,
    PastTouch,
    Refuse,
    SendRequest,
    check_break,
    check_topic,
    judge,
)
from nurture.timing.calendar import is_open
from tests.nurture.test_gate import GRANTED, PROMPT, ask_at, touched, utc

MONDAY = "2026-03-02T10:00"


def about(topic: str, at: str = MONDAY) -> SendRequest:
    return replace(ask_at(at), topic=topic)


def on_break(until: str) -> LeadState:
    return replace(GRANTED, break_until=utc(until))


def test_a_lead_on_a_break_is_put_off_to_the_first_open_moment_after_it() -> None:
    """A break that ends on a Saturday night is over for the gate on Monday morning."""
    verdict = judge(ask_at(MONDAY), on_break("2026-04-04T23:00"), replace(PROMPT, holidays=False))
    assert verdict == Defer(utc("2026-04-06T09:00"), "the lead asked for a break")


def test_a_break_is_over_at_its_very_end() -> None:
    """Until 10:00 means that 10:00 is free again."""
    assert check_break(utc(MONDAY), utc(MONDAY)) is None
    assert check_break(utc(MONDAY), utc("2026-03-02T10:01")) is not None
    assert judge(ask_at(MONDAY), on_break(MONDAY), PROMPT) == Allow()


def test_no_break_holds_nobody() -> None:
    """Most leads never ask for one."""
    assert check_break(utc(MONDAY), None) is None


def test_a_piece_on_an_unwanted_topic_is_refused() -> None:
    """It is dropped, not put off: the lead will not want it later either, and the journey goes on to the next."""
    standing = replace(GRANTED, unwanted=("dashboards", "forecasting"))
    assert judge(about("forecasting"), standing, PROMPT) == Refuse("unwanted topic: forecasting")
    assert judge(about("data-quality"), standing, PROMPT) == Allow()


def test_a_piece_for_every_topic_is_wanted_whatever_topic_is_not() -> None:
    """Who wants nothing at all opts out."""
    assert check_topic("any", ("any", "dashboards")) is None


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (replace(GRANTED, suppressions=("opt-out",)), "suppressed: opt-out"),
        (replace(GRANTED, consent="withdrawn"), "consent withdrawn"),
        (replace(GRANTED, exited="became a customer"), "exited: became a customer"),
    ],
)
def test_graver_refusals_are_named_before_a_topic(standing: LeadState, reason: str) -> None:
    """What ends everything is said before what drops one piece."""
    assert judge(about("dashboards"), replace(standing, unwanted=("dashboards",)), PROMPT) == Refuse(reason)


def test_an_unwanted_topic_is_refused_during_a_break_too() -> None:
    """Waiting would change nothing."""
    standing = replace(on_break("2026-05-01T00:00"), unwanted=("dashboards",))
    assert judge(about("dashboards"), standing, PROMPT) == Refuse("unwanted topic: dashboards")


@pytest.mark.parametrize(
    ("break_until", "reason", "until"),
    [
        ("2026-03-03T09:00", "cap: 3 touches in 7 days", "2026-03-06T09:00"),
        ("2026-03-20T09:00", "the lead asked for a break", "2026-03-20T09:00"),
    ],
)
def test_of_a_break_and_a_cap_the_one_that_ends_last_is_waited_for(break_until: str, reason: str, until: str) -> None:
    """One wait is enough for both."""
    touches = touched("2026-02-27T09:00", "2026-02-28T09:00", "2026-03-01T09:00")
    standing = replace(on_break(break_until), touches=touches)
    assert judge(ask_at(MONDAY), standing, replace(PROMPT, caps=Caps(per_day=3))) == Defer(utc(until), reason)


@given(
    days=st.integers(0, 120),
    minutes=st.integers(0, 1440),
    ago=st.lists(st.integers(1, 40 * 24), max_size=12),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]),
)
def test_nothing_is_ever_sent_during_a_break(days: int, minutes: int, ago: list[int], zone: str) -> None:
    """Whatever else stands in the way: never allowed before the break's end, and one deferral passes it."""
    now = utc(MONDAY)
    over = now + timedelta(days=days, minutes=minutes)
    touches = tuple(PastTouch(now - timedelta(hours=hours), "any") for hours in ago)
    standing = replace(GRANTED, break_until=over, touches=touches)
    ask, rules = ask_at(MONDAY, zone), GateRules()
    verdict = judge(ask, standing, rules)
    if over > now:
        assert isinstance(verdict, Defer)
        assert verdict.until >= over
        assert is_open(verdict.until, zone, rules.window, None)
        assert _passes(verdict.until, ask, standing, rules)


def _passes(at: datetime, ask: SendRequest, standing: LeadState, rules: GateRules) -> bool:
    verdict = judge(replace(ask, now=at), standing, rules)
    return verdict == Allow()
