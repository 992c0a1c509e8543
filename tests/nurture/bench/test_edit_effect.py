"""What today's code would do with a lead in flight, by each effect."""

from datetime import timedelta

import pytest

from nurture.bench.edit_effect import Planned, effect_on
from nurture.journey.facts import Deferred
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured, rested
from nurture.journey.plan import NO_CONTENT
from nurture.journey.track import Story, Track
from tests.journals import Journey, at, did, on_track


async def as_it_was(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.send("b")
    await lead.wait(days=7)
    await lead.send("c")
    return nurtured


TRACK = on_track(as_it_was)


def standing(day: float) -> Journey:
    journey = Journey(TRACK)
    journey.go(day)
    return journey


def planned(story: Story | Track, day: float = 3, now: float | None = None) -> Planned:
    """A lead on the track as it was stands there on a day; what this code does with it."""
    journey = standing(day)
    track = story if isinstance(story, Track) else on_track(story)
    found = effect_on(track, journey.journal, at(day if now is None else now), NO_CONTENT)
    assert found is not None
    return found


async def with_x_after_the_wait(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7)
    await lead.send("x")
    await lead.send("b")
    return nurtured


async def with_a_shorter_wait(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=5)
    await lead.send("b")
    return nurtured


async def with_a_wait_that_is_over(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=2)
    await lead.send("b")
    return nurtured


async def with_an_end(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=2)
    return rested


async def that_alerts(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=2)
    await lead.alert("look")
    return nurtured


async def of_other_things(lead: Lead) -> Outcome:
    await lead.send("p")
    await lead.wait(days=1)
    await lead.send("q")
    await lead.wait(days=40)
    return nurtured


async def that_fails(lead: Lead) -> Outcome:
    await lead.send("a")
    raise ValueError("no")


@pytest.mark.parametrize(
    ("story", "effect"),
    [
        (as_it_was, "as before"),
        (with_x_after_the_wait, "after its wait"),
        (with_a_shorter_wait, "wait moves"),
        (with_a_wait_that_is_over, "mailed now"),
        (with_an_end, "ends"),
        (that_alerts, "step now"),
        (that_fails, "stuck"),
    ],
)
def test_each_effect_of_an_edit_on_a_lead_in_its_wait(story: Story, effect: str) -> None:
    """The lead is three days into its seven."""
    assert planned(story).effect == effect


def test_a_lead_without_a_place_would_be_held() -> None:
    """With what could not be explained."""
    found = planned(of_other_things, day=9)
    assert found.effect == "held"
    assert found.because


def test_what_is_due_anyway_is_no_effect_of_the_code() -> None:
    """A lead whose wait is over since yesterday has not been woken yet."""
    assert planned(as_it_was, day=3, now=8).effect == "as before"


def test_a_piece_that_a_lead_has_had_is_told_apart() -> None:
    """No deployment should mail it again."""

    async def round_again(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=2)
        await lead.send("a")
        return nurtured

    assert planned(round_again).effect == "again"


def test_where_it_stood_and_how_the_edit_is_read_are_said() -> None:
    """Until when, and each difference in words."""

    async def with_x_behind(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.send("x")
        await lead.wait(days=7)
        await lead.send("b")
        await lead.wait(days=7)
        await lead.send("c")
        return nurtured

    found = planned(with_x_behind)
    assert (found.effect, found.stood) == ("as before", "wait after send a until 2026-03-09 09:00")
    assert found.read == ("`x` was put in behind this lead: skipped",)


def test_a_put_off_send_is_as_before_and_taken_out_it_is_left() -> None:
    """Until its moment; then it is due anyway."""
    journey = standing(6)
    journey.now = at(7)
    journey.decide()
    put_off = journey.journal.after([Deferred(at(7), "send:b", at(9), "caps")])
    for now in (8, 10):
        as_ever = effect_on(TRACK, put_off, at(now), NO_CONTENT)
        assert as_ever is not None
        assert as_ever.effect == "as before"

    async def without_b(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=7)
        await lead.wait(days=7)
        await lead.send("c")
        return nurtured

    left = effect_on(on_track(without_b), put_off, at(8), NO_CONTENT)
    assert left is not None
    assert left.effect == "wait moves"
    assert left.until == at(7) + timedelta(days=7)


def test_a_lead_with_a_step_under_way_or_an_end_is_not_planned() -> None:
    """What becomes of the step is not known yet."""
    fresh = Journey(TRACK)
    assert effect_on(TRACK, fresh.journal, at(0), NO_CONTENT) is None
    over = standing(3)
    over.go(60)
    assert effect_on(TRACK, over.journal, at(61), NO_CONTENT) is None


def test_what_a_lead_did_since_is_not_looked_at_by_new_exits() -> None:
    """As the engine has it: a new rule holds from the next fact on."""
    journey = standing(3)
    journey.decide(did(3, "deal.won"))
    found = effect_on(on_track(as_it_was), journey.journal, at(4), NO_CONTENT)
    assert found is not None
    assert found.effect == "as before"
