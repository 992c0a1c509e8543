"""Registration: what a track must be, and what its source may not hold; the registry that finds tracks."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

import nurture.journey.outcomes
from nurture.errors import NotFoundError, TrackError
from nurture.journey.lead import Lead
from nurture.journey.matchers import Matcher, converted, form_submitted, opted_out
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import Registry, Track, load_tracks, track, tracks_in

HERE = Path(__file__).name


async def plain(lead: Lead) -> Outcome:
    """A plain story."""
    await lead.send("a")
    return nurtured


def line_of(function: Callable[..., object], offset: int) -> str:
    """`file:line` of a line of a function of this file, counted from its `def`."""
    return f"{HERE}:{function.__code__.co_firstlineno + offset}: "


def test_a_track_knows_its_rules_its_story_and_its_place() -> None:
    """What the decorator was told, in one value."""
    made = track("plain-one", enters_on=form_submitted(), exits_on=(opted_out, converted), graduates_at=60)(plain)
    assert (made.name, made.graduates_at, made.story) == ("plain-one", 60, "A plain story.")
    assert made.exits == opted_out | converted
    assert made.enters_on == form_submitted()
    assert made.where.endswith(line_of(plain, 0).removesuffix(": "))
    assert made.gate_rules.caps == made.caps


def test_a_track_without_exit_rules_exits_on_nothing() -> None:
    """It ends only by its own code, or by a person."""
    assert track("plain")(plain).exits == Matcher(())


@pytest.mark.parametrize("name", ["", "New-lead", "new_lead", "new lead", "-a", "a-", "9-lives"])
def test_a_name_that_is_no_slug_is_refused(name: str) -> None:
    """Names become workflow types and ids."""
    with pytest.raises(TrackError, match="is no track name; use lower-case words joined by hyphens") as error:
        track(name)(plain)
    assert line_of(plain, 0) in str(error.value)


@pytest.mark.parametrize("names", [{"name": "a" * 65}, {"name": "a", "was": "b" * 65}])
def test_a_name_that_is_too_long_is_refused(names: dict[str, str]) -> None:
    """PostgreSQL would refuse the journey of the first lead; this is said when the track is loaded."""
    with pytest.raises(TrackError, match="at most 64 characters"):
        track(**names)(plain)


def test_a_function_that_is_no_story_is_refused() -> None:
    """Not async, or with another number of arguments."""

    def not_async(lead: Lead) -> Outcome:
        return nurtured

    async def two_leads(lead: Lead, other: Lead) -> Outcome:
        return nurtured

    with pytest.raises(TrackError, match="`async def`"):
        track("x")(not_async)  # type: ignore[arg-type]
    with pytest.raises(TrackError, match="one argument, the lead"):
        track("x")(two_leads)  # type: ignore[arg-type]


@pytest.mark.parametrize("score", [0, -1, 101])
def test_a_threshold_that_is_no_score_is_refused(score: int) -> None:
    """Scores run from 1 to 100 where they graduate."""
    with pytest.raises(TrackError, match="a score from 1 to 100"):
        track("x", graduates_at=score)(plain)


def test_a_delivery_that_is_no_policy_is_refused() -> None:
    """At most once unless said otherwise; there is no exactly once."""
    assert track("x")(plain).delivery == "at_most_once"
    with pytest.raises(TrackError, match="delivery is at_most_once or at_least_once, not 'exactly_once'"):
        track("x", delivery="exactly_once")(plain)  # type: ignore[arg-type]


# What the source may not hold


async def reads_a_clock(lead: Lead) -> Outcome:
    if datetime.now(UTC).hour < 12:
        await lead.send("morning")
    return nurtured


async def reads_a_timer(lead: Lead) -> Outcome:
    await lead.send("a")
    time.monotonic()
    return nurtured


async def rolls_dice(lead: Lead) -> Outcome:
    await lead.send(random.choice(["a", "b"]))
    return nurtured


async def imports_inside(lead: Lead) -> Outcome:
    from uuid import uuid4  # noqa: PLC0415 - the breach

    await lead.send(str(uuid4()))
    return nurtured


async def opens_a_file(lead: Lead) -> Outcome:
    with open("x") as file:  # noqa: PTH123
        await lead.send(file.read())
    return nurtured


async def sleeps(lead: Lead) -> Outcome:
    await asyncio.sleep(1)
    return nurtured


async def counts_outside(lead: Lead) -> Outcome:
    global SEEN  # noqa: PLW0603
    SEEN = 1
    return nurtured


async def streams(lead: Lead) -> Outcome:
    async for piece in lead:  # type: ignore[attr-defined]
        await lead.send(piece)
    return nurtured


def helper() -> float:
    return time.time()


async def hides_it_in_a_helper(lead: Lead) -> Outcome:
    if helper() > 0:
        await lead.send("a")
    return nurtured


SEEN = 0


@pytest.mark.parametrize(
    ("function", "breaker", "offset", "says"),
    [
        (reads_a_clock, reads_a_clock, 1, "reads a clock (datetime.now)"),
        (reads_a_timer, reads_a_timer, 2, "reads a clock (time.monotonic)"),
        (rolls_dice, rolls_dice, 1, "rolls dice (random.choice)"),
        (imports_inside, imports_inside, 1, "rolls dice (import uuid)"),
        (opens_a_file, opens_a_file, 1, "does I/O (open)"),
        (sleeps, sleeps, 1, "awaits something foreign (asyncio.sleep)"),
        (counts_outside, counts_outside, 1, "changes a variable outside the function"),
        (streams, streams, 1, "awaits something foreign (async for, async with)"),
        (hides_it_in_a_helper, helper, 1, "reads a clock (time.time)"),
    ],
)
def test_source_that_breaks_the_rules_is_refused_with_its_line(
    function: Callable[..., object], breaker: Callable[..., object], offset: int, says: str
) -> None:
    """One line a breach: where, what, and what to do instead."""
    with pytest.raises(TrackError) as error:
        track("x")(function)  # type: ignore[arg-type]
    assert line_of(breaker, offset) + says in str(error.value)
    assert "lead.do(...)" in str(error.value)


def test_every_breach_is_named_at_once() -> None:
    """Mending them one by one would take a run each."""

    async def two(lead: Lead) -> Outcome:
        time.time()
        print("x")  # noqa: T201
        return nurtured

    with pytest.raises(TrackError) as error:
        track("x")(two)
    assert str(error.value).count("\n") == 1


def test_a_graduation_is_held_to_the_same_rules() -> None:
    """What runs in place of a wait is track code as well."""
    with pytest.raises(TrackError, match="reads a clock"):
        track("x", graduates_at=75, on_graduation=reads_a_timer)(plain)


def test_arithmetic_on_dates_is_no_clock() -> None:
    """A track may compute with times that it was given."""

    async def fine(lead: Lead) -> Outcome:
        await lead.wait(to=datetime(2027, 1, 1, tzinfo=UTC))
        return nurtured

    assert track("fine")(fine).name == "fine"


# The registry


def test_the_registry_finds_tracks_by_name_in_order() -> None:
    """It reads like a mapping."""
    one, two = track("b")(plain), track("a")(plain)
    registry = Registry((one, two))
    assert list(registry) == ["a", "b"]
    assert (registry["b"], len(registry), "c" in registry) == (one, 2, False)


def test_an_unknown_track_is_answered_with_what_was_meant() -> None:
    """The nearest name, or all that are known."""
    registry = Registry((track("new-lead")(plain),))
    with pytest.raises(NotFoundError, match="did you mean 'new-lead'"):
        registry["new-leed"]
    with pytest.raises(NotFoundError, match="known: new-lead"):
        registry["zzz"]
    with pytest.raises(NotFoundError, match="known: none"):
        Registry(())["zzz"]


def test_two_tracks_of_one_name_are_refused_and_one_imported_twice_is_not() -> None:
    """A track imported into another's module is still one track."""
    one = track("a")(plain)
    assert len(Registry((one, one))) == 1
    with pytest.raises(TrackError, match=rf"{HERE}:\d+: a track called 'a' is already at .*{HERE}:\d+"):
        Registry((one, track("a")(plain)))


def test_a_module_gives_its_tracks_and_a_package_its_modules() -> None:
    """A new file with a track in it is a new track; modules without one give none."""
    module = ModuleType("some_tracks")
    module.first = track("first")(plain)  # type: ignore[attr-defined]
    module.other = 3  # type: ignore[attr-defined]
    assert [each.name for each in tracks_in(module)] == ["first"]
    assert tracks_in(nurture.journey.outcomes) == []
    assert all(isinstance(each, Track) for each in load_tracks("workflows.tracks").values())
