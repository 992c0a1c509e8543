"""What an edit of a track means for the leads inside it: every cell of the table in the design, one test each.

The track as it was: a, seven days, b, seven days, c. A lead is before the edited point, stands there, or is past it.
"""

from dataclasses import replace

from nurture.journey.decision import Finish, Park, Send
from nurture.journey.facts import Deferred, Done, Graduated, Skipped, Waited
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import converted, link_clicked, opted_out, page_viewed
from nurture.journey.outcomes import Outcome, nurtured, recycled, rested
from nurture.journey.plan import plan
from nurture.journey.track import Story
from tests.journals import Journey, at, clicked, did, journal, kinds, on_track, pieces, scored, sent


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


# step inserted


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


def test_step_inserted_before_that_point_it_gets_it_when_it_comes() -> None:
    """A lead waiting after a gets x in its place, after b."""
    journey = standing(3).edited(with_x_after_b)
    assert journey.go(30).next == Finish("nurtured")
    assert journey.sends == [(7, "b"), (7, "x"), (14, "c")]


def test_step_inserted_where_it_stands_it_gets_it_next() -> None:
    """A lead waiting after b gets x at its next wake, and the wait after it then counts from x."""
    journey = standing(9).edited(with_x_after_b)
    journey.go(30)
    assert journey.sends == [(9, "x"), (16, "c")]


def test_step_inserted_that_it_is_past_it_never_gets() -> None:
    """A lead waiting after b never gets what was inserted after a: a lead never goes back."""
    journey = standing(9).edited(with_x_after_a)
    assert journey.decide().facts == (Skipped(at(9), "send:x"),)
    journey.go(30)
    assert journey.sends == [(14, "c")]


# step removed


async def without_b(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.send("c")
    return nurtured


def test_step_removed_before_that_point_it_never_gets_it() -> None:
    """A lead waiting after a goes on to c."""
    journey = standing(3).edited(without_b)
    journey.go(30)
    assert journey.sends == [(7, "c")]


def test_step_removed_where_it_stands_it_leaves_it_at_the_next_wake() -> None:
    """A lead whose b was put off leaves it for c; one waiting after b leaves that wait too."""
    put_off = standing(3)
    put_off.journal = put_off.journal.after(
        [Waited(at(7), "send:a/wait", "time"), Deferred(at(7), "send:b", at(9), "caps")]
    )
    assert plan(put_off.edited(without_b).track, put_off.journal, at(8)).next == Send("send:c", "c")
    journey = standing(9).edited(without_b)
    journey.go(30)
    assert journey.sends == [(9, "c")]


def test_step_removed_that_it_is_past_changes_nothing() -> None:
    """A lead waiting after b, with a removed, waits on to the same moment."""

    async def without_a(lead: Lead) -> Outcome:
        await lead.wait(days=7)
        await lead.send("b")
        await lead.wait(days=7)
        await lead.send("c")
        return nurtured

    journey = standing(9).edited(without_a)
    assert journey.decide().next == Park("send:b/wait", at(14))
    journey.go(30)
    assert journey.sends == [(14, "c")]


# wait made shorter or longer


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


def test_wait_made_shorter_or_longer_before_that_point_it_gets_the_new_length() -> None:
    """A lead waiting after a will wait as long after b as the code now says."""
    for days in (3, 12):
        journey = standing(3).edited(waiting_after_b(days))
        journey.go(40)
        assert journey.sends == [(7, "b"), (7 + days, "c")]


def test_wait_made_shorter_or_longer_where_it_stands_counts_from_the_waits_own_start() -> None:
    """A lead two days into the wait after b sees the new length from the day of b; already over means over now."""
    assert standing(9).edited(waiting_after_b(3)).decide().next == Park("send:b/wait", at(10))
    assert standing(9).edited(waiting_after_b(12)).decide().next == Park("send:b/wait", at(19))
    over = standing(9).edited(waiting_after_b(1)).decide()
    assert over.facts == (Waited(at(9), "send:b/wait", "time"),)
    assert over.next == Send("send:c", "c")


def test_wait_made_shorter_or_longer_that_it_is_past_changes_nothing() -> None:
    """A lead waiting after b, with the wait after a changed, waits on to the same moment."""

    async def longer_after_a(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=30)
        await lead.send("b")
        await lead.wait(days=7)
        await lead.send("c")
        return nurtured

    decision = standing(9).edited(longer_after_a).decide()
    assert (decision.facts, decision.next) == ((), Park("send:b/wait", at(14)))


# until changed


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


def test_until_changed_before_that_point_it_gets_the_new_matcher() -> None:
    """A lead waiting after a is held to the new matcher once it waits after b."""
    journey = browsing(3).edited(until("/x", "/y"))
    journey.go(30, did(8, "page.viewed", "/x"), did(9, "page.viewed", "/y"))
    assert journey.sends == [(7, "b"), (9, "seen-2")]


def test_until_changed_where_it_stands_looks_at_what_happened_since_the_wait_began() -> None:
    """A view of the new page since the wait began ends it at once; one from before it began does not."""
    since = browsing(10, (9, "/y")).edited(until("/x", "/y"))
    assert since.decide().next == Send("send:seen-2", "seen-2")
    before = browsing(10, (5, "/y")).edited(until("/x", "/y"))
    assert isinstance(before.decide().next, Park)


def test_until_changed_that_it_is_past_changes_nothing() -> None:
    """A wait that ended by time stays so, though the new matcher would have been met."""
    journey = browsing(10, (5, "/y")).edited(until("/y", "/x"))
    decision = journey.decide()
    assert decision.facts == ()
    assert isinstance(decision.next, Park)
    assert decision.next.until == at(14)


# step renamed with was="old"


async def with_b_renamed(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.send("b-new", was="b")
    await lead.wait(days=7, until=link_clicked("b-new"))
    await lead.send("c")
    return nurtured


def test_step_renamed_before_that_point_it_gets_the_new_name() -> None:
    """A lead waiting after a is sent the piece, and keyed, by its new name."""
    journey = standing(3).edited(with_b_renamed)
    journey.go(30)
    assert journey.sends == [(7, "b-new"), (14, "c")]
    assert "send:b-new" in journey.keys


def test_step_renamed_where_it_stands_is_the_same_step() -> None:
    """A lead whose b was put off, or waits after b, stands where it stood; a click in b is a click in b-new."""
    put_off = journal(sent(0, "a"), Waited(at(7), "send:a/wait", "time"), Deferred(at(7), "send:b", at(9), "caps"))
    track = standing(3).edited(with_b_renamed).track
    assert plan(track, put_off, at(8)).next == Park("send:b", at(9), (), None, "deferred")
    assert plan(track, put_off, at(9)).next == Send("send:b", "b-new")
    journey = standing(9).edited(with_b_renamed)
    assert journey.decide().next == Park("send:b/wait", at(14), ("email.clicked:b-new", "email.clicked:b"))
    assert journey.decide(clicked(10, "b")).next == Send("send:c", "c")


def test_step_renamed_that_it_is_past_is_not_repeated() -> None:
    """A lead at the end, with b renamed, gets neither name again."""
    journey = standing(13)
    journey.journal = journey.journal.after([Waited(at(14), "send:b/wait", "time")])
    journey.now = at(14)
    decision = journey.edited(with_b_renamed).decide()
    assert (decision.facts, decision.next) == ((), Send("send:c", "c"))


# exit or graduation rule changed


async def graduation(lead: Lead) -> Outcome:
    await lead.send("offer")
    await lead.wait(days=2)
    return recycled


def test_exit_or_graduation_rule_changed_before_that_point_the_new_rule_holds() -> None:
    """A behaviour, or a score, that comes after the edit is judged by the new rule alone."""
    exits = standing(3).edited(as_it_was, exits=opted_out)
    assert exits.decide(did(4, "deal.won")).facts == ()
    assert exits.decide(did(5, "lead.opted_out")).next == Finish("exited: opted out")
    lower = standing(3).edited(as_it_was, graduates_at=30, on_graduation=graduation)
    assert kinds(lower.decide(scored(4, 35)).facts) == ["graduated"]


def test_exit_or_graduation_rule_changed_where_it_stands_the_new_rule_counts_from_the_next_fact_on() -> None:
    """What was looked at under the old rule stays as it was judged; the next fact meets the new one."""
    journey = standing(3)
    journey.decide(did(4, "deal.won"), scored(4, 60))
    new = journey.edited(as_it_was, exits=converted, graduates_at=50, on_graduation=graduation)
    assert new.decide().facts == ()
    assert kinds(new.decide(scored(5, 61)).facts) == ["graduated"]
    assert new.decide(did(6, "deal.won")).next == Finish("exited: became a customer")


# content text changed


async def by_catalogue(lead: Lead) -> Outcome:
    while piece := await lead.next_piece("awareness"):
        await lead.send(piece)
        await lead.wait(days=7)
    return nurtured


def with_text(day: float, body: str) -> tuple[Journey, Journey]:
    """A lead on a day of a track over two pieces, and the same lead once the pieces' text is another."""
    journey = Journey(on_track(by_catalogue), catalogue=pieces("p1", "p2"))
    journey.go(day)
    return journey, replace(journey, catalogue=pieces("p1", "p2", body=body), sends=[])


def test_content_text_changed_before_that_point_the_piece_comes_as_it_would_have() -> None:
    """The plan names the piece; its text is looked up when it is sent, so it is the new one."""
    _, journey = with_text(3, "Another text.")
    journey.go(30)
    assert journey.sends == [(7, "p2")]


def test_content_text_changed_where_it_stands_the_same_piece_is_still_due() -> None:
    """A piece chosen and put off is the same piece with the new text."""
    old, new = with_text(6, "Another text.")
    for journey in (old, new):
        journey.now = at(7)
    assert old.decide() == new.decide()


def test_content_text_changed_that_it_is_past_is_not_sent_again() -> None:
    """What was sent stays sent: the new text is no new piece."""
    old, new = with_text(20, "Another text.")
    assert new.decide() == old.decide()
    assert new.sends == []


# the finer points of never going back


def test_a_step_inserted_far_behind_is_skipped_though_a_graduation_came_between() -> None:
    """A lead who is in a graduation, and then returns, never gets what was inserted behind the place it left."""
    track = on_track(as_it_was, graduates_at=75, on_graduation=graduation)
    journey = Journey(track)
    journey.go(9)
    journey.decide(scored(9, 80))
    journey.go(10)
    edited = journey.edited(with_x_after_a)
    assert edited.decide().facts == (Skipped(at(10), "send:x"),)
    assert edited.go(40).next == Finish("nurtured")
    assert edited.sends == [(18, "c")]


def test_a_step_inserted_where_a_graduated_lead_stood_comes_once_it_returns() -> None:
    """It stood after b when it was offered; b's new follower waits for it to come back."""
    journey = Journey(on_track(as_it_was, graduates_at=75, on_graduation=graduation))
    journey.go(9)
    journey.decide(scored(9, 80))
    journey.go(10)
    edited = journey.edited(with_x_after_b)
    edited.go(40)
    assert edited.sends == [(11, "x"), (18, "c")]


def test_a_step_inserted_into_a_graduation_reaches_only_those_who_are_still_in_it() -> None:
    """A lead that was recycled and has gone on never gets it; one that waits in the graduation gets it next."""

    async def edited_graduation(lead: Lead) -> Outcome:
        await lead.send("offer")
        await lead.send("brochure")
        await lead.wait(days=2)
        return recycled

    inside = Journey(on_track(as_it_was, graduates_at=75, on_graduation=graduation))
    inside.go(3)
    inside.decide(scored(3, 80))
    inside.go(4)
    assert inside.edited(as_it_was, on_graduation=edited_graduation).decide().next == Send(
        "graduation/send:brochure", "brochure"
    )
    gone_on = replace(inside)
    gone_on.go(13)
    decision = gone_on.edited(as_it_was, on_graduation=edited_graduation).decide()
    assert kinds(decision.facts) == ["skipped"]
    assert isinstance(decision.next, Park)
    assert decision.next.key == "send:b/wait"


def test_a_graduation_that_now_ends_the_journey_does_not_end_it_for_those_who_went_on() -> None:
    """A lead that was recycled months ago stays on its track."""

    async def final(lead: Lead) -> Outcome:
        await lead.send("offer")
        await lead.wait(days=2)
        return rested

    journey = Journey(on_track(as_it_was, graduates_at=75, on_graduation=graduation))
    journey.go(3)
    journey.decide(scored(3, 80))
    journey.go(13)
    decision = journey.edited(as_it_was, on_graduation=final).decide()
    assert decision.facts == ()
    assert isinstance(decision.next, Park)


def test_a_graduation_step_added_behind_a_second_graduation_is_skipped() -> None:
    """The first graduation is over for a lead in its second."""

    async def with_a_last_step(lead: Lead) -> Outcome:
        await lead.send("offer")
        await lead.wait(days=2)
        await lead.send("goodbye")
        return recycled

    journey = Journey(on_track(as_it_was, graduates_at=75, on_graduation=graduation))
    journey.go(1)
    journey.go(6, scored(1, 80), scored(4, 50), scored(5, 80))
    assert [fact.kind for fact in journey.journal].count("graduated") == 2
    decision = journey.edited(as_it_was, on_graduation=with_a_last_step).decide()
    assert decision.facts == (Skipped(at(6), "graduation/send:goodbye"),)
    assert isinstance(decision.next, Park)
    assert decision.next.key == "graduation~2/send:offer/wait"


def test_a_wait_inserted_behind_counts_as_met_only_if_the_leads_past_needs_it() -> None:
    """Under `if await wait(...)`, a lead who had the step inside is past the wait as one who met it."""

    async def now_on_condition(lead: Lead) -> Outcome:
        await lead.send("a")
        if await lead.wait(days=3, until=link_clicked("a")):
            await lead.send("b")
        return nurtured

    async def before(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.send("b")
        await lead.wait(days=7)
        return nurtured

    had_b = Journey(on_track(before))
    had_b.go(1)
    decision = had_b.edited(now_on_condition).decide()
    assert decision.facts[0] == Skipped(at(1), "send:a/wait", met=True)
    assert decision.next == Finish("nurtured")


def test_a_skipped_wait_reads_as_one_that_named_no_behaviour() -> None:
    """A track that asks which behaviour came is answered, not broken, when the wait was skipped."""

    async def asks_which(lead: Lead) -> Outcome:
        await lead.send("a")
        answered = await lead.wait(days=3, until=link_clicked("a") | page_viewed())
        if answered and answered.name != "page.viewed":
            await lead.send("b")
        done = await lead.do("enrich")
        await lead.send("c" if done.value is None and done.result == "skipped" else "d")
        return nurtured

    past = journal(sent(0, "a"), sent(1, "b"), sent(1, "c"))
    decision = plan(on_track(asks_which), past, at(1))
    assert decision.facts[:2] == (Skipped(at(1), "send:a/wait", met=True), Skipped(at(1), "do:enrich"))
    assert decision.next == Finish("nurtured")


def test_an_experiment_inserted_behind_gives_its_variant_and_leaves_the_reads_behind_it_as_they_were() -> None:
    """The choice is recorded as skipped, so that the branch after it still reads the score of its own time."""

    async def before(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.send("hot" if lead.score >= 50 else "cold")
        await lead.wait(days=7)
        return nurtured

    async def after(lead: Lead) -> Outcome:
        variant = await lead.choose("subject", ("only",))
        await lead.send("a" if variant == "only" else "?")
        await lead.send("hot" if lead.score >= 50 else "cold")
        await lead.wait(days=7)
        return nurtured

    journey = Journey(on_track(before))
    journey.go(3, scored(2, 60))
    decision = journey.edited(after).decide()
    assert decision.facts == (Skipped(at(3), "choose:subject", choice="only"),)
    assert decision.next == Park("send:cold/wait", at(7))
    recorded = journey.edited(after)
    recorded.decide()
    assert recorded.decide() == replace(decision, facts=())


def test_steps_that_changed_places_are_neither_repeated_nor_made_up_for() -> None:
    """After a and c, with b moved between them, b is behind."""

    async def a_b_c_d(lead: Lead) -> Outcome:
        for piece in "abcd":
            await lead.send(piece)
        return nurtured

    had = Journal().after([*journal(sent(0, "c"), sent(0, "a"))])
    decision = plan(on_track(a_b_c_d), had, at(0))
    assert decision.facts == (Skipped(at(0), "send:b"),)
    assert decision.next == Send("send:d", "d")


def test_the_wait_after_a_skipped_step_is_still_the_wait_after_the_step_before_it() -> None:
    """Skipping x neither renames nor restarts the wait that follows."""
    journey = standing(3)
    journey.journal = journey.journal.after([Skipped(at(3), "send:x")])
    decision = journey.edited(with_x_after_a).decide()
    assert decision.next == Park("send:a/wait", at(7))


def test_a_step_done_after_its_removal_is_no_hindrance() -> None:
    """A send under way while the edit came is recorded, and the lead goes on."""
    journey = standing(3)
    journey.journal = journey.journal.after([Waited(at(7), "send:a/wait", "time"), Done(at(7), "send:b", "sent")])
    assert plan(journey.edited(without_b).track, journey.journal, at(7)).next == Send("send:c", "c")


def test_a_graduation_recorded_before_an_edit_that_cuts_the_track_short_is_carried_through() -> None:
    """The lead is with sales; that its old place is gone does not end its journey there."""

    async def nothing_left(lead: Lead) -> Outcome:
        await lead.send("a")
        return nurtured

    facts = journal(sent(0, "a"), scored(1, 80), Graduated(at(1), 80))
    track = on_track(nothing_left, graduates_at=75, on_graduation=graduation)
    assert plan(track, facts, at(1)).next == Send("graduation/send:offer", "offer")
