"""The language of segments: what it says in English, and what it refuses where it is written."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from nurture.errors import InputError, NotFoundError
from nurture.journey.matchers import Matcher
from nurture.segments import (
    band,
    days,
    engaged,
    fit,
    in_bucket,
    in_order,
    last,
    page_scrolled,
    page_viewed,
    prop,
    score,
    segment,
    stage,
    subscribed,
    trait,
    video_watched,
)
from nurture.segments.behaviour import did
from nurture.segments.facts import LeadFacts, Seen
from nurture.segments.named import Segments

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
EVALUATORS = segment(
    "finance-evaluators",
    trait("industry") == "finance",
    page_viewed("/pricing*").times(at_least=2, within=days(14)),
)


def viewed(*ages: timedelta, industry: str = "finance") -> LeadFacts:
    """A lead that viewed the prices so long ago each."""
    return LeadFacts({"industry": industry}, tuple(Seen("page.viewed", "/pricing", NOW - each) for each in ages))


def test_a_segment_says_itself_and_why_a_lead_is_in_it() -> None:
    """In the words that tracks use."""
    assert str(EVALUATORS.meant) == "industry == finance and viewed page /pricing* at least 2 times within 14 days"
    assert EVALUATORS.because(viewed(days(1), days(2), days(3)), NOW) == [
        "industry is finance",
        "viewed page /pricing* 3 times within 14 days",
    ]


def test_a_window_has_its_beginning_and_not_its_end() -> None:
    """`[now - n, now)`, to the microsecond."""
    tick = timedelta(microseconds=1)
    assert EVALUATORS.includes(viewed(days(14), tick), NOW)
    assert not EVALUATORS.includes(viewed(days(14) + tick, tick), NOW)
    assert not EVALUATORS.includes(viewed(days(14), timedelta(0)), NOW)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: trait("industry") < "finance", "only numbers compare by <"),
        (lambda: trait("seats", "number") == "many", "a number is no word"),
        (lambda: trait("seats", "colour"), "the types are word, number, boolean, date, list"),
        (lambda: trait("seats") == None, "compare it with a word"),  # noqa: E711 - this is what is refused
        (lambda: trait("renewal").before("2026-03-01"), "give a day, such as date"),
        (lambda: trait("industry").is_in(), "names no word"),
        (lambda: trait("seats") > float("inf"), "no finite number"),
        (lambda: stage.is_in("prospect"), "the stages are lead, mql"),
        (lambda: band.is_in("warmm"), "did you mean 'warm'"),
        (lambda: score >= 40.5, "a score is a whole number"),
        (lambda: did(Matcher(("page.seen:*",))), "unknown behaviour 'page.seen'"),
        (lambda: page_viewed().within(14), "write days"),
        (lambda: page_viewed().times(at_least=3, at_most=2), "nobody is meant"),
        (lambda: engaged(within=days(0)), "no length of time"),
        (lambda: in_order(page_viewed()), "takes two behaviours or more"),
        (lambda: in_order(page_viewed(), page_viewed().times(at_least=2)), "name the behaviour alone"),
        (lambda: last(page_viewed(), at_least=days(5), at_most=days(5)), "nobody is meant"),
        (lambda: page_viewed().having(score > 1), "no test of a property"),
        (lambda: in_bucket("half", 0.6, after=0.5), "between 0 and 1 together"),
        (lambda: subscribed(""), "name a topic"),
        (lambda: fit >= "A", "whole number"),
        (lambda: engaged(within=days(1)) and score > 1, "join predicates by &"),
        (lambda: segment("Gone Quiet", score > 1), "no segment name"),
        (lambda: segment("gone-quiet"), "has no predicate"),
        (lambda: segment("gone-quiet", True), "True is no predicate"),
    ],
)
def test_what_means_nothing_is_refused_where_it_is_written(make: Callable[[], Any], said: str) -> None:
    """With what to write instead."""
    with pytest.raises(InputError, match=said):
        make()


def test_two_segments_of_one_name_are_told_with_both_places() -> None:
    """The first stays; another that is asked for is named from the nearest."""
    twice = Segments((EVALUATORS, segment("finance-evaluators", trait("renewal").after(date(2026, 3, 1)))))
    assert len(twice.broken) == 1
    assert EVALUATORS.where in twice.broken[0]
    with pytest.raises(NotFoundError, match="did you mean 'finance-evaluators'"):
        twice["finance-evaluator"]


def test_what_a_lead_did_in_order_is_said_so() -> None:
    """In the words of a sentence."""
    asked = in_order(page_viewed("/pricing*").having(prop("percent") >= 75), page_viewed("/demo"), within=days(7))
    assert str(asked) == "viewed page /pricing* with percent >= 75 and then viewed page /demo within 7 days"
    assert str(last(page_viewed(), at_least=days(30))) == "viewed any page last more than 30 days ago"


def test_how_deep_somebody_read_is_a_property() -> None:
    """From 0 to 100; what has none is not deep."""
    asked = page_scrolled("/guide*", percent=75)
    assert str(asked) == "scrolled down page /guide* with percent >= 75"
    for percent, deep in ((75, True), ("80", True), (74, False), (None, False)):
        seen = Seen("page.scrolled", "/guide", NOW - days(1), props={"percent": percent})
        assert asked.holds(LeadFacts(behaviours=(seen,)), NOW) is deep
    with pytest.raises(InputError, match="no number from 0 to 100"):
        video_watched(percent=101)
