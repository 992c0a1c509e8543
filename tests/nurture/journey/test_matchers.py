"""Matchers: what they match, how they join, and how they say themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import InputError
from nurture.journey.matchers import (
    Matcher,
    content_downloaded,
    converted,
    deal_lost,
    deal_opened,
    demo_requested,
    disqualified,
    event_attended,
    form_submitted,
    link_clicked,
    opted_out,
    page_viewed,
    replied,
    sales_accepted,
    sales_rejected,
    say_behaviour,
    say_pattern,
    unreachable,
)
from nurture.journey.patterns import hears
from nurture.people.behaviours import BEHAVIOURS, behaviour_kind

ALL = (
    link_clicked("welcome"),
    page_viewed("/pricing*"),
    form_submitted(),
    content_downloaded("guide"),
    event_attended(),
    deal_lost(),
    replied(),
    demo_requested,
    opted_out,
    unreachable,
    converted,
    deal_opened,
    disqualified,
    sales_accepted,
    sales_rejected,
)
matchers = st.sampled_from(ALL)
behaviours = st.tuples(st.sampled_from(sorted(BEHAVIOURS)), st.sampled_from(["", "welcome", "/pricing/teams", "guide"]))


def test_a_matcher_matches_its_behaviour_and_its_subject() -> None:
    """The name must be the same, the subject must fit the glob."""
    assert link_clicked("welcome").matches("email.clicked", "welcome")
    assert not link_clicked("welcome").matches("email.clicked", "welcome-2")
    assert not link_clicked("welcome").matches("email.opened", "welcome")
    assert page_viewed("/pricing*").matches("page.viewed", "/pricing/teams?plan=a")
    assert not page_viewed("/pricing*").matches("page.viewed", "/blog/pricing")
    assert link_clicked().matches("email.clicked", "anything")


def test_globs_are_not_regular_expressions() -> None:
    """A dot is a dot, a question mark any one letter; a page is the same page in capitals."""
    assert not page_viewed("/a.html").matches("page.viewed", "/axhtml")
    assert page_viewed("/Pricing/").matches("page.viewed", "/pricing")
    assert page_viewed("https://www.northwind.example/Pricing*").matches("page.viewed", "/pricing/pro")
    assert page_viewed("/a?c").matches("page.viewed", "/abc")


@given(matchers, matchers, behaviours)
def test_a_join_matches_what_either_matches(one: Matcher, other: Matcher, behaviour: tuple[str, str]) -> None:
    """`a | b` is either, whatever the order, and joining twice adds nothing."""
    joined = one | other
    assert joined.matches(*behaviour) == (one.matches(*behaviour) or other.matches(*behaviour))
    assert joined.matches(*behaviour) == (other | one).matches(*behaviour)
    assert joined | one == joined


@given(matchers, behaviours)
def test_the_patterns_on_the_wire_match_as_the_matcher_does(matcher: Matcher, behaviour: tuple[str, str]) -> None:
    """What a parked journey says it listens for is all that is needed to wake it."""
    assert hears(matcher.patterns, *behaviour) == matcher.matches(*behaviour)
    assert hears(list(matcher.patterns), *behaviour) == matcher.matches(*behaviour)


def test_an_empty_matcher_matches_nothing() -> None:
    """A track without exit rules exits on nothing."""
    assert not any(Matcher(()).matches(name, "") for name in BEHAVIOURS)


def test_every_matcher_names_behaviours_that_exist() -> None:
    """No matcher waits for a name that nothing ever sends."""
    for matcher in ALL:
        for pattern in matcher.patterns:
            assert pattern.partition(":")[0] in BEHAVIOURS


@pytest.mark.parametrize(
    ("matcher", "says"),
    [
        (link_clicked("welcome"), "clicked a link in welcome"),
        (link_clicked(), "clicked a link in any mail"),
        (page_viewed("/pricing*") | demo_requested, "viewed page /pricing* or asked for a demo"),
        (page_viewed(), "viewed any page"),
        (opted_out, "opted out or marked as spam"),
        (deal_lost(), "deal was lost"),
    ],
)
def test_a_matcher_says_itself_in_plain_english(matcher: Matcher, says: str) -> None:
    """The words that a decision's reasons use."""
    assert str(matcher) == says


def test_an_unknown_behaviour_is_said_as_it_is_and_asked_for_by_name_is_refused() -> None:
    """Old journals may name behaviours that are gone; new input may not."""
    assert say_behaviour("webinar.left", "spring") == "webinar.left spring"
    assert say_pattern("webinar.left:*") == "webinar.left"
    assert behaviour_kind("email.clicked").subject == "piece"
    with pytest.raises(InputError, match=r"unknown behaviour 'webinar\.left'; known: content\.downloaded"):
        behaviour_kind("webinar.left")
