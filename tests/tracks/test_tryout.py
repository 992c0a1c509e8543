"""try_out: each kind of broken track is found, and the error names the line of the track that does it."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nurture.bench.named import TRAITS
from nurture.bench.tryout import Known, try_out
from nurture.content.catalogue import Catalogue, parse_piece
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, page_viewed
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import Track, track
from perennial.leads.profile import profile_of
from tests.tracks import leaky

TEXT = "---\nsubject: S\npreheader: P\nstage: awareness\nformat: education\nvariants: ['T']\n---\nHello.\n"
CATALOGUE = Catalogue({id_: parse_piece(id_, TEXT) for id_ in ("a", "b")})


def problems(story: Callable[..., object], **rules: object) -> list[str]:
    """What is found in a story that registration let through."""
    return try_out(track("tried", **rules)(story), CATALOGUE, runs=30)  # type: ignore[arg-type]


def line(story: Callable[..., object], offset: int) -> str:
    """`file:line` of a line of a story, counted from its `def`."""
    return f"{__file__}:{story.__code__.co_firstlineno + offset}: "


async def sound(lead: Lead) -> Outcome:
    await lead.send("a", variant=1)
    if await lead.wait(days=7, until=link_clicked("a") | page_viewed("/pricing*")) and lead.score >= 50:
        await lead.send("b")
    while await lead.wait(days=30, until=page_viewed()):
        await lead.alert("came back")
    return nurtured


def test_a_sound_track_has_no_problem() -> None:
    """Nothing is found where nothing is wrong, whatever the outcomes."""
    assert problems(sound, graduates_at=75) == []


def test_a_track_without_an_end_is_sound_if_it_waits() -> None:
    """Keeping in touch for ever is a story too."""

    async def for_ever(lead: Lead) -> Outcome:
        while True:
            await lead.wait(days=30)
            await lead.send("a")

    assert try_out(track("for-ever")(for_ever), CATALOGUE, runs=6) == []


@pytest.mark.parametrize(
    ("helper", "says"),
    [
        (leaky.clock, "reads a clock (time.time)"),
        (leaky.today, "reads a clock (date.today)"),
        (leaky.now, "reads a clock (datetime.now)"),
        (leaky.dice, "rolls dice (random.random)"),
        (leaky.identity, "rolls dice (uuid.uuid4)"),
        (leaky.entropy, "touches the machine (os.urandom)"),
        (leaky.environment, "touches the machine (os.getcwd)"),
        (leaky.file, "does I/O (pathlib."),
        (leaky.network, "does I/O (socket.__init__)"),
    ],
)
def test_a_breach_hidden_in_a_helper_of_another_module_is_named_with_the_tracks_own_line(
    helper: Callable[[], object], says: str
) -> None:
    """The line that calls the helper, what it does, where it does it, and what to do instead."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        helper()
        await lead.wait(days=1)
        return nurtured

    (found,) = (problem for problem in problems(story) if "deterministic" not in problem)
    assert found.startswith(line(story, 2) + says)
    assert "leaky.py:" in found
    assert "lead.do(...)" in found


def test_a_breach_of_its_own_that_its_source_does_not_show_is_named_with_its_line() -> None:
    """A clock fetched by name passes the reading of the source; running it does not."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=1)
        getattr(datetime, "now")(UTC)  # noqa: B009 - the hiding
        return nurtured

    (found,) = problems(story)
    assert found.startswith(line(story, 3) + "reads a clock (datetime.now); ")


def test_a_breach_on_one_outcome_only_is_found() -> None:
    """The second wait's behaviour, at a high score: somebody will take that way."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(days=1)
        if await lead.wait(days=1, until=page_viewed("/pricing*")) and lead.score > 50:
            leaky.clock()
        return nurtured

    (found,) = problems(story)
    assert found.startswith(line(story, 3))


def test_a_breach_in_a_graduation_is_found() -> None:
    """What runs in place of a wait is tried out as well."""

    async def graduation(lead: Lead) -> Outcome:
        await lead.send("b")
        leaky.dice()
        return nurtured

    found = problems(sound, graduates_at=75, on_graduation=graduation)
    assert any(problem.startswith(line(graduation, 2) + "rolls dice") for problem in found)


def test_a_track_that_decides_differently_on_two_runs_is_found() -> None:
    """A counter outside the track is no clock and no I/O, and still no two runs agree."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(days=1)
        if leaky.turns() % 2:
            await lead.send("a")
        await lead.send("b")
        return nurtured

    found = problems(story)
    assert any("not deterministic" in problem for problem in found)
    assert all(problem.startswith((line(story, 3), line(story, 4))) for problem in found)


def test_a_piece_that_does_not_exist_is_named_with_the_line_that_sends_it() -> None:
    """With the piece that was meant, if one is near."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=1)
        await lead.send("bb")
        return nurtured

    (found,) = problems(story)
    assert found.startswith(line(story, 3) + "sends bb: no such content piece")


ASKED_IN_VAIN = link_clicked("welcom")


def test_a_question_that_nothing_can_answer_is_named() -> None:
    """It would be answered with no, for ever and in silence."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(days=1, until=link_clicked("c-*") | page_viewed("pricing"))
        if lead.trait("industri") == "retail" or lead.stage == "decison":
            await lead.send("a")
        if lead.stage in ("decision", "sold") and lead.has(ASKED_IN_VAIN):
            await lead.send("b")
        return nurtured

    found = problems(story, exits_on=(link_clicked("goodbye"),))
    assert sorted(found) == [
        line(story, 0) + "waits for clicked a link in goodbye, and no piece is called so; use one of a, b",
        line(story, 1) + "waits for clicked a link in c-*, and no piece is called so; use one of a, b",
        line(story, 1) + "waits for the page 'pricing', and a page begins with a slash; write '/pricing'",
        line(story, 2) + "compares the stage with 'decison'; did you mean decision?",
        line(story, 2) + "reads the trait 'industri', which no lead has; did you mean industry?",
        line(story, 4) + "compares the stage with 'sold'; use one of awareness, consideration, decision",
        line(story, 4) + "waits for clicked a link in welcom, and no piece is called so; use one of a, b",
    ]


def test_the_traits_that_a_track_may_read_are_those_that_a_profile_has() -> None:
    """A trait that is new there is no fault here."""
    assert tuple(sorted(profile_of(dict.fromkeys(TRAITS, "x")).traits)) == TRAITS


ASKS: list[tuple[Callable[[Lead], object], str]] = [
    (lambda lead: lead.has("page.viewed"), "is asked for by a matcher"),  # type: ignore[arg-type]
    (lambda lead: lead.has(page_viewed), "is asked for by a matcher"),  # type: ignore[arg-type]
    (lambda lead: lead.times("page.viewed"), "is asked for by a matcher"),  # type: ignore[arg-type]
    (lambda lead: lead.has(page_viewed(), within=7), "within=days(30), not 7"),  # type: ignore[arg-type]
    (lambda lead: lead.has(page_viewed(), within=timedelta(days=-1)), "within=days(30), not"),
    (lambda _: link_clicked(None), "a piece is told by its name or a glob, not None"),  # type: ignore[arg-type]
    (lambda _: page_viewed(7), "a path is told by its name or a glob, not 7"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("ask", "says"), ASKS)
def test_a_question_asked_wrongly_is_named(ask: Callable[[Lead], object], says: str) -> None:
    """Otherwise it is never true, or fails where nobody reads."""

    async def story(lead: Lead) -> Outcome:
        ask(lead)
        return nurtured

    (found,) = problems(story)
    assert says in found


TAKES: list[tuple[Callable[[Lead], Awaitable[object]], str]] = [
    (lambda lead: lead.send(5), "lead.send takes a name or a text first, not 5"),  # type: ignore[arg-type]
    (lambda lead: lead.send(None), "lead.send takes a name or a text first, not None"),  # type: ignore[arg-type]
    (lambda lead: lead.alert(["a"]), "lead.alert takes a name or a text first"),  # type: ignore[arg-type]
    (lambda lead: lead.choose("x", "ab"), "variants are texts in a tuple"),  # type: ignore[arg-type]
    (lambda lead: lead.choose("x", (1, 2)), "variants are texts in a tuple"),  # type: ignore[arg-type]
    (lambda lead: lead.next_piece("awareness", "education"), "formats are texts in a tuple"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("take", "says"), TAKES)
def test_a_step_given_the_wrong_thing_is_named(take: Callable[[Lead], Awaitable[object]], says: str) -> None:
    """With what it takes instead."""

    async def story(lead: Lead) -> Outcome:
        await take(lead)
        return nurtured

    (found,) = problems(story)
    assert says in found


def test_a_variant_that_the_piece_does_not_have_is_named() -> None:
    """A subject line is chosen by number."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a", variant=2)
        return nurtured

    assert problems(story) == [line(story, 1) + "sends a with variant 2, which the piece does not have"]


def test_sending_without_ever_waiting_is_found() -> None:
    """A loop that forgot its wait would send for ever."""

    async def story(lead: Lead) -> Outcome:
        while True:
            await lead.send("a")

    (found,) = problems(story)
    assert found.startswith(line(story, 2))
    assert "steps in a row without a wait" in found


def test_waiting_for_nothing_for_ever_is_found() -> None:
    """Waits of no length never come to rest."""

    async def story(lead: Lead) -> Outcome:
        while True:
            await lead.wait(timedelta(0))

    (found,) = problems(story)
    assert "steps without one that takes time" in found


@pytest.mark.parametrize("spin", [leaky.spin, None])
def test_running_on_without_coming_to_a_step_is_found(spin: Callable[[], None] | None) -> None:
    """An endless loop, its own or a helper's, is an error with a line and not a hang."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(days=1)
        while True:
            if spin is not None:
                spin()
        return nurtured

    found = problems(story)
    assert len(found) == 1
    assert "runs on without coming to a step" in found[0]
    assert found[0].startswith((line(story, 2), line(story, 3), line(story, 4)))


def test_a_track_that_raises_on_some_outcome_is_named_with_its_line() -> None:
    """A refused activity has no value; a track has to bear that."""

    async def story(lead: Lead) -> Outcome:
        found = await lead.do("enrich")
        await lead.send(found.value["piece"])
        return nurtured

    (found,) = problems(story)
    assert found.startswith(line(story, 2) + "TypeError")


def test_trying_out_leaves_no_trace_behind() -> None:
    """Profilers and tracers of others are back in place afterwards."""
    before = sys.getprofile(), sys.gettrace()
    problems(sound)
    assert (sys.getprofile(), sys.gettrace()) == before


def test_trying_out_is_itself_repeatable() -> None:
    """The same seed gives the same answer, so a failure in CI is a failure at home."""
    broken: Track = replace(track("tried")(sound), graduates_at=75)
    nothing = Catalogue({})
    assert try_out(broken, nothing, runs=20) == try_out(broken, nothing, runs=20) != []
    assert Path(__file__).name in try_out(broken, nothing, runs=1)[0]


@track("mistyped")
async def mistyped(lead: Lead) -> Outcome:
    """Names that nobody has."""
    await lead.do("look_up_kredit")
    await lead.enrol("new-lead")
    await lead.enrol("nurse-lead")
    return nurtured


def test_a_name_that_nobody_answers_to_is_found() -> None:
    """With the name that was perhaps meant."""
    known = Known(["look_up_credit"], ["new-lead", "mistyped"])
    first, second = try_out(mistyped, CATALOGUE, known)
    assert "calls 'look_up_kredit', and no activity is called so (did you mean 'look_up_credit'?)" in first
    assert "enrols on 'nurse-lead', and no track is called so" in second


def welcomed(lead: Lead) -> Awaitable[object]:
    """A step, to be awaited by the caller."""
    return lead.send("a")


def test_a_step_that_a_plain_function_made_and_nobody_awaited_is_found() -> None:
    """The source of the track does not show it; running it does."""

    async def story(lead: Lead) -> Outcome:
        welcomed(lead)
        await lead.wait(days=1)
        return nurtured

    (found,) = problems(story)
    assert found == line(story, 1) + "calls 'Lead.send' without await; write `await` before it"


async def rounds(lead: Lead, number: int) -> None:
    """Counts up, and never down."""
    if number >= 0:
        await lead.wait(days=1)
        await rounds(lead, number + 1)


def test_a_recursion_that_only_goes_deeper_is_found() -> None:
    """It would end a lead's journey after a year, with nobody looking."""

    async def story(lead: Lead) -> Outcome:
        await rounds(lead, 0)
        return nurtured

    (found,) = problems(story)
    assert "rounds calls itself again and again" in found
    assert Path(__file__).name in found


@pytest.mark.parametrize("length", [lambda: timedelta(days=-7), lambda: 7, lambda: "a week", lambda: timedelta.max])
def test_a_wait_that_is_no_length_is_found(length: Callable[[], timedelta]) -> None:
    """Also where a helper worked it out."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(length())
        return nurtured

    (found,) = problems(story)
    assert found.startswith(line(story, 1))
    assert "a wait" in found
