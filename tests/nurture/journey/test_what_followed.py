"""What the code came to next, when a lead came to stand in a wait, says later which wait of edited code it is."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from nurture.errors import TrackError
from nurture.journey.decision import Park
from nurture.journey.facts import Waiting
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, page_viewed
from nurture.journey.outcomes import Outcome, nurtured, recycled
from nurture.journey.refs import reworded
from tests.journals import Journey, at, clicked, on_track, pieces, scored


def inside(story: Callable[..., object], day: float, **rules: object) -> Journey:
    """A lead on this track, on a day."""
    journey = Journey(on_track(story, **rules))
    journey.go(day)
    return journey


async def back_at_once(_: Lead) -> Outcome:
    return recycled


async def a_then_a_month(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=30)
    await lead.choose("opening")
    await lead.wait(days=3)
    await lead.send("b")
    return nurtured


def then(journey: Journey) -> str:
    """What is recorded to follow the open wait."""
    stands = journey.journal.stands
    assert stands is not None
    assert isinstance(stands.fact, Waiting)
    return stands.fact.then


def test_an_open_wait_says_what_follows_it() -> None:
    """A step by its name, a wait by its length and its matcher, the end by its outcome."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(days=1)
        await lead.wait(days=2, until=page_viewed("/pricing*"))
        await lead.send("a")
        await lead.wait(days=1)
        return nurtured

    assert then(inside(story, 0)) == "wait 172800.0 page.viewed:/pricing*"
    assert then(inside(story, 1)) == "send:a"
    assert then(inside(story, 3)) == "end nurtured"


def test_what_the_code_does_wrong_further_on_is_told_when_the_lead_is_there() -> None:
    """A lead in a wait is not stopped by what comes after it, and reads nothing of it."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(days=1)
        if lead.score >= 0:
            raise ValueError("not yet")
        return nurtured

    journey = Journey(on_track(story))
    decision = journey.decide()
    assert then(journey) == ""
    assert decision.because == ("enrolled",)


def test_code_that_returns_no_outcome_further_on_stops_no_lead_in_its_wait() -> None:
    """It is told when the lead comes to it."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(days=1)
        return None  # type: ignore[return-value]

    journey = Journey(on_track(story))
    assert isinstance(journey.decide().next, Park)
    with pytest.raises(TrackError, match="a track returns an Outcome"):
        journey.go(2)


def test_a_send_and_the_open_wait_behind_it_change_places() -> None:
    """The lead stands in the same wait, to its end, and then comes what is left."""

    async def a_month_then_a(lead: Lead) -> Outcome:
        await lead.wait(days=30)
        await lead.send("a")
        await lead.choose("opening")
        await lead.wait(days=3)
        await lead.send("b")
        return nurtured

    journey = inside(a_then_a_month, 26).edited(a_month_then_a)
    journey.go(60)
    assert journey.sends == [(33, "b")]


def test_the_open_wait_taken_out_before_a_choice_is_not_the_wait_behind_that() -> None:
    """It is sat out, and the next one after it."""

    async def without_the_month(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.choose("opening")
        await lead.wait(days=3)
        await lead.send("b")
        return nurtured

    journey = inside(a_then_a_month, 23).edited(without_the_month)
    journey.go(60)
    assert journey.sends == [(33, "b")]


def test_what_is_read_behind_a_wait_that_was_taken_out_is_as_of_its_end() -> None:
    """The cadence of a lead who has clicked meanwhile is the quicker one."""

    async def with_a_month(lead: Lead) -> Outcome:
        await lead.wait(days=30)
        await lead.wait(lead.cadence())
        await lead.send("b")
        return nurtured

    async def without_it(lead: Lead) -> Outcome:
        await lead.wait(lead.cadence())
        await lead.send("b")
        return nurtured

    journey = inside(with_a_month, 16).edited(without_it)
    journey.go(90, clicked(26, "x"))
    untouched = inside(with_a_month, 16)
    untouched.go(90, clicked(26, "x"))
    assert journey.sends == untouched.sends


@pytest.mark.parametrize("edited_before", [True, False])
def test_a_wait_that_was_taken_out_is_waited_again_after_a_graduation(edited_before: bool) -> None:
    """As every wait is that a graduation interrupted, whether the edit comes before the graduation or after it."""

    async def with_a_wait(lead: Lead) -> Outcome:
        await lead.wait(days=10, until=link_clicked())
        await lead.send("b")
        return nurtured

    async def without_it(lead: Lead) -> Outcome:
        await lead.send("b")
        return nurtured

    rules = {"graduates_at": 75, "on_graduation": back_at_once}
    journey = inside(with_a_wait, 2, **rules)
    if edited_before:
        journey = journey.edited(without_it)
    journey.go(4, scored(4, 80))
    if not edited_before:
        journey = journey.edited(without_it)
    journey.go(60)
    assert journey.sends == [(14, "b")]


def test_a_step_taken_out_of_a_loop_that_was_gone_through_three_times_is_found_in_time() -> None:
    """The search looks at the cheap contradictions too, and not at those alone that account for much at once."""

    async def with_a_reminder(lead: Lead) -> Outcome:
        while piece := await lead.next_piece("awareness"):
            await lead.send(piece)
            await lead.wait(days=3, until=page_viewed("/pricing*"))
            await lead.send("reminder")
            await lead.wait(days=14, until=link_clicked("reminder"))
        return nurtured

    async def without_it(lead: Lead) -> Outcome:
        while piece := await lead.next_piece("awareness"):
            await lead.send(piece)
            await lead.wait(days=3, until=page_viewed("/pricing*"))
            await lead.wait(days=14, until=link_clicked("reminder"))
        return nurtured

    journey = Journey(on_track(with_a_reminder), catalogue=pieces("p1", "p2", "p3", "p4"))
    journey.go(40)
    edited = journey.edited(without_it)
    edited.go(100)
    assert edited.sends == [(51, "p4")]


def test_a_wait_that_an_edit_had_lost_is_not_the_next_edits_wait() -> None:
    """The explanation before is evidence too: a wait put in later is not the one that was taken out."""

    async def two_weeks(lead: Lead) -> Outcome:
        await lead.wait(days=7)
        await lead.wait(days=7, until=link_clicked("a"))
        return nurtured

    async def one_week(lead: Lead) -> Outcome:
        await lead.wait(days=7)
        return nurtured

    async def a_week_and_a_bit(lead: Lead) -> Outcome:
        await lead.wait(days=7)
        await lead.wait(days=3)
        return nurtured

    journey = inside(two_weeks, 8).edited(one_week)
    journey.go(10)
    later = journey.edited(a_week_and_a_bit)
    later.go(60)
    assert later.journal.end is not None
    assert later.journal.end.at == at(17)


def test_what_follows_is_hidden_from_temporal_as_the_outcome_itself_is() -> None:
    """An outcome may be worded with what a track read of the lead."""
    waiting = Waiting(at(0), "start/wait", 60.0, then="end left for Acme")
    assert reworded(waiting, lambda text: text.replace("Acme", "ref:1")) == replace(waiting, then="end left for ref:1")
