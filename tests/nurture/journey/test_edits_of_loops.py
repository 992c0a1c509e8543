"""What an edit of a loop, or of what a graduation interrupts, means for the leads inside it: one case a rule."""

from collections.abc import Callable

import pytest

from nurture.content.catalogue import Catalogue, parse_piece
from nurture.journey.compaction import compact
from nurture.journey.decision import Finish, Park
from nurture.journey.facts import Renamed
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, page_viewed
from nurture.journey.outcomes import Outcome, handed_to_sales, nurtured, recycled
from nurture.journey.sales import hand_to_sales
from nurture.journey.track import Story, Track, track
from tests.journals import Journey, at, did, on_track, scored


def over(*pieces: str) -> Story:
    """Each piece and a week, then a month until a click."""

    async def story(lead: Lead) -> Outcome:
        for piece in pieces:
            await lead.send(piece)
            await lead.wait(days=7)
        await lead.wait(days=30, until=link_clicked())
        return nurtured

    return story


def standing(story: Story, day: float) -> Journey:
    """A lead on a track, on a day."""
    journey = Journey(on_track(story))
    journey.go(day)
    return journey


@pytest.mark.parametrize("order", ["cab", "cba", "bca", "acb"])
def test_a_list_in_another_order_behind_the_lead_changes_nothing(order: str) -> None:
    """All of it was sent: the lead waits on, to the same moment."""
    journey = standing(over("a", "b", "c"), 25).edited(over(*order))
    assert journey.decide().next == Park("send:c/wait~2", at(51), ("email.clicked:*",))
    assert journey.go(60).next == Finish("nurtured")
    assert journey.sends == []


def test_in_a_reordered_list_what_was_sent_is_not_sent_again() -> None:
    """The lead goes on from the piece that it had last; one that comes later in the new order it has had."""
    journey = standing(over("a", "b", "c"), 10).edited(over("b", "c", "a"))
    assert journey.go(80).next == Finish("nurtured")
    assert journey.sends == [(14, "c")]


def test_an_item_put_into_a_list_behind_the_lead_never_comes() -> None:
    """The lead waits after c, the last one, and goes on behind the list."""
    journey = standing(over("a", "b", "c"), 15).edited(over("a", "b", "x", "c"))
    assert journey.go(80).next == Finish("nurtured")
    assert journey.sends == []


def test_a_send_taken_out_of_a_loop_is_one_edit() -> None:
    """Three of them were done; the lead is past the loop, and not held."""

    async def without_the_sends(lead: Lead) -> Outcome:
        for greeting in ("hello", "again", "and again"):
            await lead.send(greeting)
        for _ in ("a", "b", "c"):
            await lead.wait(days=7)
        await lead.wait(days=30, until=link_clicked())
        return nurtured

    async def with_them(lead: Lead) -> Outcome:
        for greeting in ("hello", "again", "and again"):
            await lead.send(greeting)
        for piece in ("a", "b", "c"):
            await lead.send(piece)
            await lead.wait(days=7)
        await lead.wait(days=30, until=link_clicked())
        return nurtured

    journey = standing(with_them, 15).edited(without_the_sends)
    assert journey.decide().next == Park("send:c/wait", at(21))
    assert journey.go(60).next == Finish("nurtured")


def test_a_condition_turned_round_holds_for_the_turns_that_were_taken() -> None:
    """A lead in its fourth turn ends this wait, and then leaves the loop as the new code says."""

    def loop(condition: Callable[[Lead], bool]) -> Story:
        async def story(lead: Lead) -> Outcome:
            while condition(lead):
                await lead.send("a")
                await lead.wait(days=7)
            await lead.send("z")
            return nurtured

        return story

    viewed = page_viewed("/pricing*")
    journey = standing(loop(lambda lead: not lead.has(viewed)), 24).edited(loop(lambda lead: bool(lead.has(viewed))))
    assert journey.go(40).next == Finish("nurtured")
    assert journey.sends == [(28, "z")]


def graduating(story: Story, graduation: Story) -> Track:
    """The track, with a graduation."""
    return track("t", graduates_at=75, on_graduation=graduation)(story)


async def back(lead: Lead) -> Outcome:
    """Five days, and back to where the lead was."""
    await lead.wait(days=5)
    return recycled


async def away(lead: Lead) -> Outcome:
    """At once with sales."""
    return handed_to_sales


def test_a_score_reached_in_a_removed_wait_still_graduates() -> None:
    """The graduation takes the wait's place, and ends the journey if it says so."""
    journey = Journey(graduating(over("a"), away))
    journey.go(10)

    async def shorter(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=7)
        return nurtured

    journey = journey.edited(shorter, graduates_at=75, on_graduation=away)
    assert journey.decide().next == Park("send:a/wait~2", at(37), ("email.clicked:*",), 75)
    assert journey.decide(scored(20, 80)).next == Finish("handed to sales")


def test_a_wait_that_a_graduation_interrupted_goes_with_its_step() -> None:
    """The lead is back in the wait after b when b is taken out of the list: c is next, and not d."""
    journey = Journey(graduating(over("a", "b", "c", "d"), back))
    journey.go(10, scored(9, 80))
    journey.go(15)
    journey = journey.edited(over("a", "c", "d"), graduates_at=75, on_graduation=back)
    journey.go(40)
    assert [piece for _, piece in journey.sends if piece in {"c", "d"}] == ["c", "d"]


def test_a_rename_is_known_under_both_names_as_soon_as_it_is_sent() -> None:
    """A deployment that is rolled back, or an old worker, does not send it again."""

    async def new(lead: Lead) -> Outcome:
        await lead.wait(days=2)
        await lead.send("b", was="a")
        await lead.wait(days=7)
        return nurtured

    async def old(lead: Lead) -> Outcome:
        await lead.wait(days=2)
        await lead.send("a")
        await lead.wait(days=7)
        return nurtured

    journey = standing(new, 4)
    assert [fact for fact in journey.journal if isinstance(fact, Renamed)] == [Renamed(at(2), "send:a", "send:b")]
    journey.sends.clear()
    journey = journey.edited(old)
    assert journey.go(20).next == Finish("nurtured")
    assert journey.sends == []


def test_a_helper_put_in_before_the_open_wait_is_passed_by() -> None:
    """Sales is not told, and the lead waits on to the same moment."""

    async def offered(lead: Lead) -> Outcome:
        await lead.send("a")
        offer = await hand_to_sales(lead)
        if not offer.returns:
            return offer
        await lead.wait(days=7)
        return nurtured

    async def plain(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=7)
        return nurtured

    journey = standing(plain, 3).edited(offered)
    assert journey.decide(did(4, "page.viewed", "/pricing")).next == Park("send:a/wait", at(7))
    assert journey.go(20).next == Finish("nurtured")


async def a_then_b(lead: Lead) -> Outcome:
    """Two mails, five days apart."""
    await lead.send("a")
    await lead.wait(days=5)
    await lead.send("b")
    await lead.wait(days=6)
    return nurtured


def catching_up(piece: str, *was: str) -> Story:
    """The two mails, and before them one that all are to have."""

    async def story(lead: Lead) -> Outcome:
        await lead.send(piece, catch_up=True, was=was)
        return await a_then_b(lead)

    return story


def test_what_was_caught_up_on_is_not_sent_again_under_a_new_name() -> None:
    """The lead has x, which is called y later."""
    journey = standing(a_then_b, 7).edited(catching_up("x"))
    journey.go(8)
    assert journey.sends == [(7, "x")]
    journey = journey.edited(catching_up("y", "x"))
    assert journey.go(20).next == Finish("nurtured")
    assert journey.sends == []


def test_a_step_of_a_loop_is_caught_up_on_once() -> None:
    """Two turns are behind the lead; the third turn brings it as the code says."""

    def loop(*, tips: bool) -> Story:
        async def story(lead: Lead) -> Outcome:
            for piece in ("a", "b", "c"):
                if tips:
                    await lead.send("tip", catch_up=True)
                await lead.send(piece)
                await lead.wait(days=5)
            return nurtured

        return story

    journey = standing(loop(tips=False), 7).edited(loop(tips=True))
    journey.go(30)
    assert journey.sends == [(7, "tip"), (10, "tip"), (10, "c")]


def test_a_value_put_in_behind_the_lead_answers_whatever_the_code_does_with_it() -> None:
    """Sums too; the branch that was taken stands."""

    async def looking_up(lead: Lead) -> Outcome:
        found = await lead.do("look up")
        if found.value["seats"] * 2 + 1 > 3:
            return await a_then_b(lead)
        await lead.send("z")
        return nurtured

    journey = standing(a_then_b, 7).edited(looking_up)
    assert journey.decide().next == Park("send:b/wait", at(11))
    assert journey.go(20).next == Finish("nurtured")
    assert journey.sends == []


def shelf(*named: tuple[str, tuple[str, ...]]) -> Catalogue:
    """Pieces for one stage in this order, each with the ids that it had before."""
    text = "---\nsubject: S\npreheader: P\nstage: awareness\nformat: education\norder: {}\n{}---\nHello.\n"
    return Catalogue(
        {
            id_: parse_piece(id_, text.format(order, f"was: [{', '.join(was)}]\n" if was else ""))
            for order, (id_, was) in enumerate(named, 1)
        }
    )


@pytest.mark.parametrize("compacts", [False, True])
@pytest.mark.parametrize(
    "later",
    [
        pytest.param((("a3", ("a", "a2")), ("b", ()), ("c", ())), id="both names kept"),
        pytest.param((("a3", ("a2",)), ("b", ()), ("c", ())), id="a chain, its first name gone"),
        pytest.param((("a2", ()), ("b", ()), ("c", ())), id="tidied away"),
    ],
)
def test_a_piece_that_was_had_is_had_under_every_later_name(
    later: tuple[tuple[str, tuple[str, ...]], ...], compacts: bool
) -> None:
    """A loop over what comes next calls for no piece again, so the journal notes the new name by itself."""

    async def whatever_comes(lead: Lead) -> Outcome:
        while piece := await lead.next_piece("awareness"):
            await lead.send(piece)
            await lead.wait(days=3)
        return nurtured

    journey = Journey(on_track(whatever_comes), catalogue=shelf(("a", ()), ("b", ()), ("c", ())))
    for day, pieces in ((4, (("a2", ("a",)), ("b", ()), ("c", ()))), (7, later)):
        journey.go(day)
        if compacts:
            journey.journal = compact(journey.journal)
        journey.catalogue = shelf(*pieces)
    journey.go(40)
    assert journey.sends == [(0, "a"), (3, "b"), (6, "c")]
