"""What an edit of a track means for the leads inside it: every row of the table in the design, by name.

The track as it was: a, seven days, b, seven days, c. A lead is before the edited point, stands there, or is past it.
"""

from dataclasses import replace

import pytest

from nurture.journey.decision import Finish, Park, Send
from nurture.journey.facts import Deferred, Explained, Held, Released, Waited, Waiting
from nurture.journey.lead import Lead
from nurture.journey.matchers import converted, link_clicked, opted_out, page_viewed
from nurture.journey.outcomes import Outcome, nurtured, recycled, rested
from nurture.journey.plan import plan
from nurture.journey.track import Story
from tests.journals import Journey, at, clicked, did, kinds, on_track, pieces, scored


async def as_it_was(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.send("b")
    await lead.wait(days=7)
    await lead.send("c")
    return nurtured


TRACK = on_track(as_it_was)


def standing(day: float) -> Journey:
    """A lead on the track as it was, on a day: 0 to 6 waits after a, 7 to 13 waits after b."""
    journey = Journey(TRACK)
    journey.go(day)
    return journey


def put_off(until: float = 9) -> Journey:
    """A lead whose b was put off on day 7."""
    journey = standing(6)
    journey.now = at(7)
    journey.decide()
    journey.journal = journey.journal.after([Deferred(at(7), "send:b", at(until), "caps")])
    return journey


# step, helper or guarded send inserted


async def with_x_after_b(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.send("b")
    await lead.send("x")
    await lead.wait(days=7)
    await lead.send("c")
    return nurtured


async def with_x_after_a(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.send("x")
    await lead.wait(days=7)
    await lead.send("b")
    await lead.wait(days=7)
    await lead.send("c")
    return nurtured


async def with_a_guarded_send(lead: Lead) -> Outcome:
    if not await lead.send("terms"):
        return rested
    return await as_it_was(lead)


async def offer(lead: Lead) -> None:
    await lead.send("offer")
    await lead.wait(days=3, until=link_clicked("offer"))
    await lead.alert("look at this one")


async def with_a_helper(lead: Lead) -> Outcome:
    await lead.send("a")
    await offer(lead)
    await lead.wait(days=7)
    await lead.send("b")
    await lead.wait(days=7)
    await lead.send("c")
    return nurtured


def test_a_step_inserted_ahead_comes_when_it_comes() -> None:
    """A lead waiting after a gets x in its place, after b."""
    journey = standing(3).edited(with_x_after_b)
    assert journey.go(30).next == Finish("nurtured")
    assert journey.sends == [(7, "b"), (7, "x"), (14, "c")]


@pytest.mark.parametrize("story", [with_x_after_a, with_a_guarded_send, with_a_helper])
def test_a_step_inserted_behind_never_comes_and_the_lead_goes_on_as_if_it_were_not_there(story: Story) -> None:
    """A lead waiting after b gets neither a step, nor a guarded send, nor a helper that was put in behind it."""
    journey = standing(9).edited(story)
    assert journey.decide().next == Park("send:b/wait", at(14))
    assert journey.go(30).next == Finish("nurtured")
    assert journey.sends == [(14, "c")]


def test_a_step_inserted_before_the_open_wait_never_comes() -> None:
    """A lead waiting after b, with x put in between b and its wait, waits on to the same moment."""
    journey = standing(9).edited(with_x_after_b)
    assert journey.decide().next == Park("send:b/wait", at(14))
    journey.go(30)
    assert journey.sends == [(14, "c")]


def test_the_reading_of_an_edit_is_kept_and_said_in_words() -> None:
    """It is recorded once, is with every decision, and costs little."""
    journey = standing(9).edited(with_a_guarded_send)
    first = journey.decide()
    assert kinds(first.facts) == ["explained"]
    assert first.reading is not None
    assert first.reading.said == ("`terms` was put in behind this lead: taken as done",)
    again = journey.decide()
    assert (again.facts, again.next, again.reading) == ((), first.next, first.reading)


# step removed


async def without_b(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.wait(days=7)
    await lead.send("c")
    return nurtured


async def without_a(lead: Lead) -> Outcome:
    await lead.wait(days=7)
    await lead.send("b")
    await lead.wait(days=7)
    await lead.send("c")
    return nurtured


def test_a_step_removed_ahead_never_comes() -> None:
    """A lead waiting after a waits both waits and goes on to c."""
    journey = standing(3).edited(without_b)
    journey.go(30)
    assert journey.sends == [(14, "c")]


def test_a_step_removed_behind_is_dropped_and_not_repeated_if_it_comes_back() -> None:
    """A lead waiting after b waits on to the same moment, without a and with it again."""
    journey = standing(9).edited(without_a)
    assert journey.decide().next == Park("send:b/wait", at(14))
    back = journey.edited(as_it_was)
    back.go(30)
    assert back.sends == [(14, "c")]


def test_a_removal_that_is_rolled_back_loses_the_step_to_nobody() -> None:
    """A lead before b wakes while b is gone, and gets b once it is back."""
    away = standing(3).edited(without_b)
    away.decide(did(4, "page.viewed", "/"))
    back = away.edited(as_it_was)
    back.go(30)
    assert back.sends == [(7, "b"), (14, "c")]


# wait made shorter or longer, until changed


def waiting_after_b(days: float) -> Story:
    """The track with another length of its second wait."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=7)
        await lead.send("b")
        await lead.wait(days=days)
        await lead.send("c")
        return nurtured

    return story


def test_a_wait_edited_ahead_has_its_new_length() -> None:
    """A lead waiting after a will wait as long after b as the code now says."""
    for days in (3, 12):
        journey = standing(3).edited(waiting_after_b(days))
        journey.go(40)
        assert journey.sends == [(7, "b"), (7 + days, "c")]


def test_the_open_wait_edited_counts_from_its_own_start() -> None:
    """Two days into the wait after b the new length counts from the day of b; already over means over now."""
    assert standing(9).edited(waiting_after_b(3)).decide().next == Park("send:b/wait", at(10))
    assert standing(9).edited(waiting_after_b(12)).decide().next == Park("send:b/wait", at(19))
    over = standing(9).edited(waiting_after_b(1)).decide()
    assert kinds(over.facts) == ["waited"]
    assert over.next == Send("send:c", "c")


def test_a_wait_edited_behind_changes_nothing() -> None:
    """A lead waiting after b, with the wait after a made longer, waits on to the same moment."""

    async def longer_after_a(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=30)
        await lead.send("b")
        await lead.wait(days=7)
        await lead.send("c")
        return nurtured

    assert standing(9).edited(longer_after_a).decide().next == Park("send:b/wait", at(14))


def until(first: str, second: str) -> Story:
    """The track with waits that a page view ends, and what follows a view of pricing."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        if await lead.wait(days=7, until=page_viewed(first)):
            await lead.send("seen-1")
        await lead.send("b")
        if await lead.wait(days=7, until=page_viewed(second)):
            await lead.send("seen-2")
        return nurtured

    return story


def browsing(day: float, *views: tuple[float, str]) -> Journey:
    """A lead who viewed pages, on the track with `/x` as both matchers."""
    journey = Journey(on_track(until("/x", "/x")))
    journey.go(day, *(did(when, "page.viewed", path) for when, path in views))
    return journey


def test_until_edited_ahead_is_the_new_matcher() -> None:
    """A lead waiting after a is held to the new matcher once it waits after b."""
    journey = browsing(3).edited(until("/x", "/y"))
    journey.go(30, did(8, "page.viewed", "/x"), did(9, "page.viewed", "/y"))
    assert journey.sends == [(7, "b"), (9, "seen-2")]


def test_until_of_the_open_wait_edited_looks_at_what_happened_since_it_began() -> None:
    """A view of the new page since the wait began ends it at once; one from before it began does not."""
    since = browsing(10, (9, "/y")).edited(until("/x", "/y"))
    assert since.decide().next == Send("send:seen-2", "seen-2")
    before = browsing(10, (5, "/y")).edited(until("/x", "/y"))
    assert isinstance(before.decide().next, Park)


def test_until_edited_behind_changes_nothing() -> None:
    """A wait that ended by time stays so, though the new matcher would have been met."""
    decision = browsing(10, (5, "/y")).edited(until("/y", "/x")).decide()
    assert isinstance(decision.next, Park)
    assert decision.next.until == at(14)


# the open wait, or a put-off send, removed


async def without_the_wait_after_b(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.send("b")
    await lead.send("c")
    return nurtured


async def without_b_and_its_wait(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.send("c")
    return nurtured


@pytest.mark.parametrize("story", [without_the_wait_after_b, without_b_and_its_wait])
def test_the_open_wait_removed_keeps_the_lead_until_its_own_end(story: Story) -> None:
    """Nobody is mailed early by an edit."""
    journey = standing(9).edited(story)
    assert journey.decide().next == Park("send:b/wait", at(14))
    journey.go(30)
    assert journey.sends == [(14, "c")]


def test_an_open_wait_without_limit_removed_still_ends_by_its_behaviour() -> None:
    """The lead stays until what it waits for comes, or a person ends the wait."""

    async def for_a_click(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(until=link_clicked("a"))
        await lead.send("b")
        return nurtured

    async def at_once(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.send("b")
        return nurtured

    journey = Journey(on_track(for_a_click))
    journey.go(3)
    journey = journey.edited(at_once)
    journey.go(30)
    assert journey.sends == []
    journey.go(40, clicked(31, "a"))
    assert journey.sends == [(31, "b")]


def test_a_put_off_send_removed_is_left_at_once() -> None:
    """It goes on with what follows."""
    journey = put_off().edited(without_b_and_its_wait)
    assert journey.decide().next == Send("send:c", "c")


# renamed


async def with_b_renamed(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.send("b-new", was="b")
    await lead.wait(days=7, until=link_clicked("b-new"))
    await lead.send("c")
    return nurtured


async def with_b_renamed_twice(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.send("b-newest", was=("b", "b-new"))
    await lead.wait(days=7)
    await lead.send("c")
    return nurtured


async def with_b_renamed_and_tidied(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.send("b-new")
    await lead.wait(days=7)
    await lead.send("c")
    return nurtured


def test_a_renamed_step_ahead_has_its_new_name() -> None:
    """A lead waiting after a is sent the piece, and keyed, by its new name."""
    journey = standing(3).edited(with_b_renamed)
    journey.go(30)
    assert journey.sends == [(7, "b-new"), (14, "c")]
    assert "send:b-new" in journey.keys


def test_a_renamed_step_where_the_lead_stands_is_the_same_step() -> None:
    """A lead whose b was put off, or waits after b, stands where it stood; a click in b is a click in b-new."""
    journey = put_off().edited(with_b_renamed)
    assert journey.decide().next == Park("send:b", at(9), (), None, "deferred")
    journey.now = at(9)
    assert journey.decide().next == Send("send:b", "b-new")
    journey = standing(9).edited(with_b_renamed)
    assert journey.decide().next == Park("send:b/wait", at(14), ("email.clicked:b-new", "email.clicked:b"))
    assert journey.decide(clicked(10, "b")).next == Send("send:c", "c")


@pytest.mark.parametrize("story", [with_b_renamed, with_b_renamed_twice])
def test_a_renamed_step_behind_is_not_repeated(story: Story) -> None:
    """Under one former name or under several."""
    journey = standing(9).edited(story)
    journey.go(30)
    assert journey.sends == [(14, "c")]


def test_was_may_be_tidied_away_once_the_journal_knows_the_name() -> None:
    """A lead that woke while the code said was="b" is not mailed again when it no longer does."""
    renamed = standing(9).edited(with_b_renamed)
    assert "renamed" in kinds(renamed.decide().facts)
    tidied = renamed.edited(with_b_renamed_and_tidied)
    tidied.go(30)
    assert tidied.sends == [(14, "c")]


def test_a_content_file_renamed_with_was_is_the_same_piece() -> None:
    """To a send of the new id, to a loop over what is left, and to a click."""

    async def by_catalogue(lead: Lead) -> Outcome:
        while piece := await lead.next_piece("awareness"):
            await lead.send(piece)
            await lead.wait(days=7, until=link_clicked(piece))
        return nurtured

    journey = Journey(on_track(by_catalogue), catalogue=pieces("p1", "p2"))
    journey.go(3)
    renamed = pieces("p1-new", "p2")
    piece = replace(renamed.pieces["p1-new"], was=("p1",))
    journey = replace(journey, catalogue=type(renamed)({**renamed.pieces, "p1-new": piece}), sends=[])
    journey.go(30, clicked(4, "p1"))
    assert journey.sends == [(4, "p2")]


# repeats, branches, moves


def test_a_repeat_inserted_is_told_from_the_other_by_the_order() -> None:
    """`tip` and two days are put in above; a lead in the thirty days after its own tip gets none again."""

    async def before(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=5)
        await lead.send("tip")
        await lead.wait(days=30)
        await lead.send("z")
        return nurtured

    async def after(lead: Lead) -> Outcome:
        await lead.send("tip")
        await lead.wait(days=2)
        return await before(lead)

    journey = Journey(on_track(before))
    journey.go(10)
    journey = journey.edited(after)
    assert journey.decide().next == Park("send:tip/wait", at(35))
    journey.go(60)
    assert journey.sends == [(35, "z")]


def test_a_return_put_in_above_does_not_end_a_lead_that_is_past_it() -> None:
    """The branch that was taken stands: `lead.score < 20` is taken as false, since b was sent."""

    async def only_the_warm(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=7)
        if lead.score < 20:
            return rested
        await lead.send("b")
        await lead.wait(days=7)
        await lead.send("c")
        return nurtured

    journey = standing(9).edited(only_the_warm)
    decision = journey.decide()
    assert decision.next == Park("send:b/wait", at(14))
    assert decision.reading is not None
    assert decision.reading.said == ("`score < 20` taken as false, since `b` was sent",)
    ahead = standing(3).edited(only_the_warm)
    assert ahead.go(30).next == Finish("rested")


def test_a_step_moved_from_ahead_to_behind_never_comes_unless_it_is_to_catch_up() -> None:
    """With `catch_up=True` the leads past it get it too, once, and wait on as they did."""

    def c_first(*, catch_up: bool) -> Story:
        async def story(lead: Lead) -> Outcome:
            await lead.send("c", catch_up=catch_up)
            await lead.send("a")
            await lead.wait(days=7)
            await lead.send("b")
            await lead.wait(days=7)
            return nurtured

        return story

    lost = standing(9).edited(c_first(catch_up=False))
    lost.go(30)
    assert lost.sends == []
    caught = standing(9).edited(c_first(catch_up=True))
    assert caught.decide().next == Send("catch-up/send:c", "c")
    assert caught.go(10).next == Park("send:b/wait", at(14))
    assert caught.go(30).next == Finish("nurtured")
    assert caught.sends == [(9, "c")]
    tidied = caught.edited(c_first(catch_up=False))
    assert tidied.sends == []


def test_what_is_caught_up_on_can_be_put_off_and_holds_up_nothing_behind_it() -> None:
    """The gate puts it off; it comes when it may, and the open wait is still open."""

    async def with_terms(lead: Lead) -> Outcome:
        await lead.send("terms", catch_up=True)
        return await as_it_was(lead)

    journey = standing(9).edited(with_terms)
    assert journey.decide().next == Send("catch-up/send:terms", "terms")
    parked = journey.decide(Deferred(at(9), "catch-up/send:terms", at(10), "caps")).next
    assert parked == Park("catch-up/send:terms", at(10), (), None, "deferred")
    journey.go(30)
    assert journey.sends == [(10, "terms"), (14, "c")]


# rules and content


async def graduation(lead: Lead) -> Outcome:
    await lead.send("offer")
    await lead.wait(days=2)
    return recycled


def test_an_exit_or_graduation_rule_edited_holds_from_the_next_thing_that_happens() -> None:
    """A behaviour, or a score, that comes after the edit is judged by the new rule alone."""
    exits = standing(3).edited(as_it_was, exits=opted_out)
    assert exits.decide(did(4, "deal.won")).facts == ()
    assert exits.decide(did(5, "lead.opted_out")).next == Finish("exited: opted out")
    lower = standing(3).edited(as_it_was, graduates_at=30, on_graduation=graduation)
    assert kinds(lower.decide(scored(4, 35)).facts) == ["graduated"]


def test_what_was_looked_at_under_an_old_rule_stays_as_it_was_judged() -> None:
    """The next fact meets the new one."""
    journey = standing(3)
    journey.decide(did(4, "deal.won"), scored(4, 60))
    new = journey.edited(as_it_was, exits=converted, graduates_at=50, on_graduation=graduation)
    assert new.decide().facts == ()
    assert kinds(new.decide(scored(5, 61)).facts) == ["graduated"]
    assert new.decide(did(6, "deal.won")).next == Finish("exited: became a customer")


def test_content_edited_is_the_same_piece_with_the_new_text() -> None:
    """What was sent is not sent again, what is due is due."""

    async def by_catalogue(lead: Lead) -> Outcome:
        while piece := await lead.next_piece("awareness"):
            await lead.send(piece)
            await lead.wait(days=7)
        return nurtured

    journey = Journey(on_track(by_catalogue), catalogue=pieces("p1", "p2"))
    journey.go(3)
    journey = replace(journey, catalogue=pieces("p1", "p2", body="Another text."), sends=[])
    journey.go(30)
    assert journey.sends == [(7, "p2")]


# no explanation


async def something_else(lead: Lead) -> Outcome:
    await lead.send("x")
    await lead.wait(days=1)
    await lead.send("y")
    return nurtured


def held_lead() -> Journey:
    """A lead that had a, b and c and stands in a last wait, on a track that became quite another one."""

    async def before(lead: Lead) -> Outcome:
        await as_it_was(lead)
        await lead.wait(days=7)
        await lead.send("d")
        return nurtured

    journey = Journey(on_track(before, exits_on=(opted_out,)))
    journey.go(15)
    return journey.edited(something_else)


def test_without_an_explanation_the_lead_is_held_and_nothing_is_sent() -> None:
    """It is told once, says what it could not explain, and hears no time; an exit still ends it."""
    journey = held_lead()
    decision = journey.decide()
    assert decision.next == Park("send:c/wait", None, opted_out.patterns, None, "held")
    assert decision.because == ("the code comes to `x`, where this lead had `a`",)
    assert kinds(decision.facts) == ["held"]
    journey.go(60)
    assert journey.sends == []
    assert journey.decide().facts == ()
    assert journey.decide(did(61, "lead.opted_out")).next == Finish("exited: opted out")


def test_a_held_lead_goes_on_with_the_next_edit_that_can_be_explained() -> None:
    """A rollback is one; the hold is over, and its place is what it was."""
    journey = held_lead()
    journey.decide()

    async def before(lead: Lead) -> Outcome:
        await as_it_was(lead)
        await lead.wait(days=7)
        await lead.send("d")
        return nurtured

    back = journey.edited(before)
    decision = back.decide()
    assert kinds(decision.facts) == ["explained"]
    assert decision.next == Park("send:c/wait", at(21), opted_out.patterns)
    assert back.journal.held is None


def test_a_person_releases_a_held_lead_at_a_step_or_ends_it() -> None:
    """At a step: everything before it is behind the lead. At the end: the journey is over."""
    journey = held_lead()
    journey.decide()
    assert journey.decide(Released(at(16), "send:y")).next == Send("send:y", "y")
    assert journey.go(20).next == Finish("nurtured")
    assert journey.sends == [(16, "y")]
    ended = held_lead()
    ended.decide()
    assert ended.decide(Released(at(16), end=True)).next == Finish("exited: a person ended it")


def test_a_release_at_a_step_that_is_not_there_leaves_the_lead_held() -> None:
    """And says so."""
    journey = held_lead()
    journey.decide()
    decision = journey.decide(Released(at(16), "send:nowhere"))
    assert isinstance(decision.next, Park)
    assert decision.next.why == "held"


def test_one_step_dropped_of_one_is_explained_and_two_of_three_are_not() -> None:
    """A reading that drops most of what was done contradicts more than it confirms."""

    async def only_c(lead: Lead) -> Outcome:
        await lead.send("b")
        await lead.wait(days=7)
        await lead.send("z")
        return nurtured

    assert standing(9).edited(only_c).decide().next == Park("send:b/wait", at(14))


def test_an_edit_rolled_back_is_as_if_it_had_never_been() -> None:
    """The hint goes, and the lead stands where it stood."""
    journey = standing(9).edited(with_x_after_a)
    journey.decide()
    back = journey.edited(as_it_was)
    assert [fact for fact in back.decide().facts if not isinstance(fact, Explained)] == []
    assert back.journal.explained is None
    back.go(30)
    assert back.sends == [(14, "c")]


def test_where_a_lead_stands_is_a_fact() -> None:
    """The open wait is recorded with its length, what ends it, and its deadline; recorded again when it was edited."""
    journey = standing(3)
    waiting = journey.journal.facts[-1]
    assert waiting == Waiting(at(0), "send:a/wait", 7 * 86_400.0, (), at(7), "send:b")
    assert isinstance(journey.journal.stands and journey.journal.stands.fact, Waiting)
    journey.go(7)
    assert Waited(at(7), "send:a/wait", "time", length=7 * 86_400.0) in journey.journal.facts
    longer = standing(9).edited(waiting_after_b(12))
    assert longer.decide().facts == (Waiting(at(9), "send:b/wait", 12 * 86_400.0, (), at(19), "send:c"),)


def test_held_is_not_recorded_twice_by_a_second_plan() -> None:
    """Planning again what plan produced changes nothing, held or not."""
    journey = held_lead()
    journey.decide()
    assert isinstance(journey.journal.facts[-1], Held)
    again = plan(journey.track, journey.journal, at(90))
    assert (again.facts, again.next) == ((), Park("send:c/wait", None, opted_out.patterns, None, "held"))
