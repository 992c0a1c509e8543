"""An engineer's own activity, given itself: its argument and its result have the types that its signature says."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio import activity

from models.messages import DoOrder
from nurture.bench.rehearsal import Rehearsal
from nurture.bench.tryout import try_out
from nurture.content.catalogue import Catalogue
from nurture.errors import TrackError
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.own import signature_faults
from nurture.journey.plan import plan
from nurture.journey.track import track
from nurture.timing.durations import hours
from tests.journals import at, journal, on_track

EMPTY = Catalogue({})


class Workspace(BaseModel):
    """What is asked for."""

    seats: int
    plan: str = "trial"


class Created(BaseModel):
    """What was made."""

    id: str
    seats: int


@activity.defn
async def create_workspace(order: DoOrder[Workspace]) -> Created:
    """Make a workspace for the lead."""
    return Created(id=order.key, seats=order.arg.seats)


@track("typed")
async def typed(lead: Lead) -> Outcome:
    made = await lead.do(create_workspace, {"seats": 5})
    if made and made.value.seats >= 5:
        await lead.alert("large")
    return nurtured


def test_a_result_is_read_as_its_type_and_is_the_reason_of_what_follows() -> None:
    """Attributes, not keys; what is compared is noted."""
    story = Rehearsal(typed, answers={"create_workspace": {"id": "w1", "seats": 7}})
    assert story.did == ["do:create_workspace", "alert:large"]
    assert any("seats = 7 >= 5" in each for each in story.because) or story.outcome == "nurtured"


def test_an_argument_goes_out_complete() -> None:
    """Its defaults too, and a model as JSON."""

    @track("whole")
    async def whole(lead: Lead) -> Outcome:
        await lead.do(create_workspace, Workspace(seats=5))
        return nurtured

    asked: list[Any] = []

    def answer(arg: Any) -> Mapping[str, Any]:
        asked.append(arg)
        return {"id": "w1", "seats": 5}

    Rehearsal(whole, answers={"create_workspace": answer})
    assert asked == [{"seats": 5, "plan": "trial"}]


def test_an_argument_that_does_not_fit_is_found_with_its_line() -> None:
    """Before any lead comes to it."""

    @track("unfit")
    async def unfit(lead: Lead) -> Outcome:
        await lead.do(create_workspace, {"seats": "many"})
        return nurtured

    (found,) = try_out(unfit, EMPTY)
    assert "create_workspace does not take this argument: seats: Input should be a valid integer" in found
    assert found.startswith(f"{__file__}:{unfit.line + 2}: ")


def test_a_result_of_another_shape_is_told() -> None:
    """As an error of the track, with its line."""
    with pytest.raises(TrackError, match="what create_workspace returned is not what it says it returns: seats"):
        Rehearsal(typed, answers={"create_workspace": {"id": "w1"}})


def test_a_track_that_reads_a_typed_result_is_sound() -> None:
    """It is tried out with examples of the type, and refused."""
    assert try_out(typed, EMPTY) == []


def test_a_refused_activity_whose_value_is_read_all_the_same_is_found() -> None:
    """It has none."""

    @track("hasty")
    async def hasty(lead: Lead) -> Outcome:
        made = await lead.do(create_workspace, {"seats": 5})
        await lead.alert(made.value.id)
        return nurtured

    assert "AttributeError" in try_out(hasty, EMPTY)[0]


@activity.defn
async def limits(order: DoOrder) -> dict[str, int]:
    """By name."""
    return {"limit": 5}


def test_a_mapping_may_have_any_key_when_a_track_is_tried_out() -> None:
    """A dict says nothing of its keys."""

    @track("keys")
    async def keys(lead: Lead) -> Outcome:
        found = await lead.do(limits)
        if found and found.value["limit"] >= 100:
            await lead.alert("rich")
        return nurtured

    assert try_out(keys, EMPTY) == []


def test_running_an_activity_in_the_track_is_refused() -> None:
    """It would touch the world at each plan."""

    async def direct(lead: Lead) -> Outcome:
        await create_workspace(DoOrder(lead_id="", enrolment_id="", key=""))
        return nurtured

    with pytest.raises(TrackError, match=r"write `await lead.do\(create_workspace, \.\.\.\)`"):
        track("direct")(direct)


async def nothing() -> None:
    """Takes nothing."""


async def its_argument(workspace: Workspace) -> None:
    """Takes its argument bare."""


async def two(order: DoOrder, more: int) -> None:
    """Takes two."""


async def unsaid(order) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - the fault
    """Does not say."""


@pytest.mark.parametrize("function", [nothing, its_argument, two, unsaid])
def test_an_activity_that_could_not_be_called_is_found(function: Callable[..., Any]) -> None:
    """With its line, and how it is written."""
    (found,) = signature_faults(function)
    assert found.startswith(f"{__file__}:{function.__code__.co_firstlineno}: ")
    assert "`order: DoOrder`" in found


@pytest.mark.parametrize("function", [create_workspace, limits])
def test_an_activity_as_documented_is_sound(function: Callable[..., Any]) -> None:
    """With the type of its argument, or without."""
    assert list(signature_faults(function)) == []


@pytest.mark.parametrize("option", ["within", "heartbeat"])
def test_a_limit_that_is_no_length_is_refused_in_words(option: str) -> None:
    """`within=hours`, say, where its brackets were forgotten."""

    async def story(lead: Lead) -> Outcome:
        await lead.do("create_workspace", **{option: hours})
        return nurtured

    with pytest.raises(TrackError, match=rf"{option}= is a length, such as {option}=hours\(1\), not <function hours"):
        plan(on_track(story), journal(), at(0))
