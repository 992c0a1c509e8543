"""What a rehearsal can be told: which arm, what is refused or put off, what activities answer; and what it tells."""

from datetime import timedelta

import pytest

from nurture.bench.rehearsal import MONDAY_MORNING, Rehearsal
from nurture.errors import InputError
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import track


@track("opening")
async def opening(lead: Lead) -> Outcome:
    arm = await lead.choose("trial-opening", ("guide", "call"))
    if not await lead.send(arm):
        await lead.alert("not sent")
    if await lead.do("look_up"):
        await lead.hand_off("sales")
    return nurtured


@track("choosing")
async def choosing(lead: Lead) -> Outcome:
    while piece := await lead.next_piece("awareness"):
        await lead.send(piece)
    return nurtured


@pytest.mark.parametrize("arm", ["guide", "call"])
def test_the_arm_of_an_experiment_can_be_chosen(arm: str) -> None:
    """Both stories can be told, whatever falls to the lead."""
    assert Rehearsal(opening, chooses={"trial-opening": arm}).pieces == [arm]


def test_an_arm_that_the_experiment_does_not_have_is_told() -> None:
    """With those that it has."""
    with pytest.raises(InputError, match="choose:trial-opening has no variant 'gide'; it has guide, call"):
        Rehearsal(opening, chooses={"trial-opening": "gide"})


@pytest.mark.parametrize("refuses", ["guide", ("guide",), {"send:guide": "over the cap"}])
def test_a_send_can_be_refused(refuses: object) -> None:
    """By piece or by key; it is not among what was sent, and the track takes its other way."""
    story = Rehearsal(opening, chooses={"trial-opening": "guide"}, refuses=refuses)  # type: ignore[arg-type]
    assert story.pieces == []
    assert story.did == ["alert:not sent", "do:look_up", "hand_off:sales"]


def test_an_activity_can_be_refused() -> None:
    """As it is after its last try."""
    story = Rehearsal(opening, chooses={"trial-opening": "guide"}, refuses=["look_up"])
    assert story.did == ["send:guide"]


def test_a_send_can_be_put_off() -> None:
    """It goes out once, at its later moment."""
    story = Rehearsal(opening, chooses={"trial-opening": "guide"}, puts_off={"guide": timedelta(days=2)})
    assert story.pieces == []
    story.passes(days=3)
    assert story.sent == [(MONDAY_MORNING + timedelta(days=2), "guide")]


def test_a_rehearsal_without_a_catalogue_says_so() -> None:
    """Rather than telling the story of a company with no content."""
    with pytest.raises(InputError, match="no catalogue"):
        Rehearsal(choosing)
