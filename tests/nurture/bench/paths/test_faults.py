"""check's paths: each kind of fault, in a track that has it, with its line and the shortest story that shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from nurture.bench.paths.explore import explore
from nurture.bench.paths.faults import Fault, faults_of, topics_without
from nurture.content.catalogue import Catalogue, parse_piece
from nurture.journey.lead import Lead
from nurture.journey.matchers import converted, link_clicked, opted_out, page_viewed
from nurture.journey.outcomes import Outcome, nurtured, rested
from nurture.journey.promises import Promise, always, hands_off, never, sends, sometimes, stage, waits
from nurture.journey.sales import hand_to_sales
from nurture.journey.track import Track, track
from nurture.timing.durations import days

TEXT = "---\nsubject: S\npreheader: P\nstage: {}\nformat: {}\ntopic: {}\n---\nHello.\n"
CATALOGUE = Catalogue(
    {
        id_: parse_piece(id_, TEXT.format(stage, format_, topic))
        for id_, stage, format_, topic in (
            ("a", "awareness", "education", "any"),
            ("b", "awareness", "education", "any"),
            ("guide", "decision", "guide", "forecasting"),
            ("pricing-guide", "decision", "guide", "any"),
        )
    }
)
Story = Callable[[Lead], Awaitable[Outcome]]


def told(story: Story, **rules: object) -> Track:
    """The track of a story, for prospects."""
    return track("told", **({"exits_on": (opted_out, converted)} | rules))(story)  # type: ignore[arg-type]


def found(story: Story, **rules: object) -> list[Fault]:
    """What is wrong with a story's paths."""
    made = told(story, **rules)
    graph = explore(made, CATALOGUE)
    assert graph.whole
    return faults_of(made, CATALOGUE, graph)


def line_of(story: Story, offset: int) -> int:
    """A line of a story, counted from its `def`."""
    return story.__code__.co_firstlineno + offset


async def sound(lead: Lead) -> Outcome:
    await lead.send("a")
    if await lead.wait(days=7, until=link_clicked("a")) and lead.score >= 50:
        await lead.wait(days=2)
        await lead.send("pricing-guide")
        await lead.wait(days=7)
        return await hand_to_sales(lead)
    await lead.wait(days=7)
    await lead.send("b")
    return nurtured


def test_a_sound_track_has_no_fault() -> None:
    """Whatever its lead does and is."""
    assert found(sound, graduates_at=75) == []


def test_a_path_that_never_ends_is_found_and_not_by_its_length() -> None:
    """The loop closes: the lead comes back to where it was."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        if await lead.wait(days=7, until=link_clicked("a")):
            return nurtured
        while True:
            await lead.wait(days=30)
            await lead.alert("still here")

    (fault,) = found(story)
    assert fault.line.number == line_of(story, 5)
    assert fault.what.startswith("never ends")
    assert fault.story == "enrolled (score 10); got a; never clicked a link in a for 7 days"


def test_a_loop_that_can_be_left_is_no_fault() -> None:
    """However seldom."""

    async def story(lead: Lead) -> Outcome:
        while not await lead.wait(days=30, until=page_viewed("/pricing*")):
            await lead.alert("still here")
        return nurtured

    assert found(story) == []


def test_a_step_that_no_path_reaches_is_found() -> None:
    """A score has no more than 100 points; 60 was asked for already."""

    async def story(lead: Lead) -> Outcome:
        if lead.score > 60:
            return rested
        if lead.score >= 61:
            await lead.send("a")
        await lead.send("b")
        return nurtured

    (fault,) = found(story)
    assert (fault.line.number, fault.what) == (
        line_of(story, 4),
        "no path reaches lead.send(...) here; mend the condition before it, or take it out",
    )


@pytest.mark.parametrize("asked", ["industry", "stage", "times", "has"])
def test_what_a_lead_must_be_or_do_for_a_step_is_found_out(asked: str) -> None:
    """Each is asked the other way too; so what stands behind it is reached, and its second send is found."""

    async def by_industry(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=7)
        if lead.trait("industry") in ("retail", "finance"):
            await lead.send("a")
        return nurtured

    async def by_stage(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=7)
        if lead.stage == "decision":
            await lead.send("a")
        return nurtured

    async def by_times(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=7)
        if lead.times(link_clicked()) >= 3:
            await lead.send("a")
        return nurtured

    async def by_has(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=7)
        if lead.has(link_clicked(), within=days(3)):
            await lead.send("a")
        return nurtured

    story = {"industry": by_industry, "stage": by_stage, "times": by_times, "has": by_has}[asked]
    (fault,) = found(story)
    assert fault.what == "sends a a second time; send another piece, or end the loop"
    assert fault.line.number == line_of(story, 4)
    shows = {
        "industry": "enrolled (industry is retail, score 10); got a; 7 days passed",
        "stage": "enrolled (score 10); got a; 7 days passed; reached score 50",
        "times": "enrolled (score 10); got a; 7 days passed",
        "has": "enrolled (score 10); got a; clicked a link in any mail; 7 days passed",
    }
    assert fault.story == shows[asked]


def test_a_lead_cannot_have_done_what_would_have_ended_its_wait() -> None:
    """It waited a week for a click and none came: so it has not clicked."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        if not await lead.wait(days=7, until=link_clicked()) and lead.has(link_clicked()):
            await lead.send("a")
        return nurtured

    assert [fault.what[:15] for fault in found(story)] == ["no path reaches"]


def test_a_wait_without_an_end_is_found() -> None:
    """Most leads never do it."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(until=link_clicked("a"))
        return nurtured

    (fault,) = found(story)
    assert fault.what.startswith("waits without an end")
    assert (fault.line.number, fault.story) == (line_of(story, 2), "enrolled (score 10); got a")


def test_more_mails_than_the_cap_to_a_lead_that_does_nothing_are_found() -> None:
    """The gate would put the second off; the code says otherwise."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(hours=5)
        await lead.send("b")
        return nurtured

    (fault,) = found(story)
    assert fault.what == (
        "sends 2 mails within 1 day to a lead that does nothing, and the cap is 1: the gate will put b off; "
        "wait longer before it"
    )
    assert fault.story == "enrolled (score 10); got a; 5 hours passed"


def test_a_graduation_that_no_path_can_meet_is_found() -> None:
    """The track never rests."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        return nurtured

    (fault,) = found(story, graduates_at=75)
    assert fault.what.startswith("graduates_at=75 can never be met")


def test_a_hand_off_of_a_lead_that_did_nothing_is_found() -> None:
    """Sales would call a stranger."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=7)
        return await hand_to_sales(lead)

    (fault,) = found(story)
    assert fault.what.startswith("offers a lead to sales that did nothing since it enrolled")
    assert fault.story == "enrolled (score 10); got a; 7 days passed"


def test_content_that_nobody_has_written_is_found() -> None:
    """No piece of that stage and format; a topic without one of its own is only told."""

    async def story(lead: Lead) -> Outcome:
        if piece := await lead.next_piece("consideration", ("case-study",)):
            await lead.send(piece)
        if piece := await lead.next_piece("decision", ("guide",)):
            await lead.send(piece)
        return nurtured

    assert [fault.what for fault in found(story)] == [
        "no path reaches lead.send(...) here; mend the condition before it, or take it out",
        "asks for a piece of stage consideration and format case-study, and the content folder has none; write one",
    ]


def test_topics_without_a_piece_are_told() -> None:
    """A lead on data quality gets no guide, where the only one is on forecasting."""

    async def story(lead: Lead) -> Outcome:
        if piece := await lead.next_piece("decision", ("guide",)):
            await lead.send(piece)
        return nurtured

    bare = Catalogue(
        {
            "guide": CATALOGUE.pieces["guide"],
            "other": parse_piece("other", TEXT.format("awareness", "education", "data-quality")),
        }
    )
    made = told(story)
    (said,) = topics_without(bare, explore(made, bare))
    assert said.endswith("nothing of stage decision for leads on data-quality")


def test_a_variant_that_changes_nothing_is_found() -> None:
    """Three variants, two ways."""

    async def story(lead: Lead) -> Outcome:
        arm = await lead.choose("opening", ("control", "guide", "call"))
        await lead.send("pricing-guide" if arm == "guide" else "a")
        return nurtured

    (fault,) = found(story)
    assert fault.what == "the experiment opening: call and control lead to the same; use both, or drop one of them"


def test_a_wait_for_what_ends_the_track_is_found() -> None:
    """The thanks would never be sent."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        if await lead.wait(days=7, until=converted):
            await lead.send("b")
        return nurtured

    faults = found(story)
    assert [fault.what.partition(":")[0] for fault in faults] == [
        "waits for what ends the track (became a customer, in exits_on)",
        "no path reaches lead.send(...) here; mend the condition before it, or take it out",
    ]


def test_mail_to_customers_on_a_track_for_prospects_is_found() -> None:
    """A track that offers leads to sales; not one without, nor one that a deal won starts."""

    async def story(lead: Lead) -> Outcome:
        await lead.send("a")
        await lead.wait(days=7)
        return nurtured

    assert found(story, exits_on=(opted_out,)) == []
    (fault,) = found(story, exits_on=(opted_out,), graduates_at=75)
    assert fault.what == "mails customers: no exit for a deal that is won; put converted into exits_on"
    assert found(story, exits_on=(opted_out,), graduates_at=75, enters_on=converted) == []


@pytest.mark.parametrize(
    ("promise", "shows"),
    [
        (never(sends("pricing-guide"), while_=stage("decision")), "enrolled (score 10); got a; clicked a link in a"),
        (always(waits(days=3), between=sends()), "enrolled (score 10); got a; clicked a link in a"),
        (sometimes(hands_off("marketing")), ""),
        (never(hands_off()), "enrolled (score 10); got a; clicked a link in a"),
    ],
)
def test_a_promise_that_a_path_breaks_is_found(promise: Promise, shows: str) -> None:
    """With the shortest path that breaks it, or for `sometimes` none that keeps it."""
    (fault,) = found(sound, promises=(promise,))
    assert str(promise) in fault.what
    assert fault.story.startswith(shows)


@pytest.mark.parametrize(
    "promise",
    [
        never(sends("pricing-guide"), while_=stage("awareness")),
        always(waits(days=2), between=sends()),
        sometimes(hands_off()),
        never(sends("guide")),
    ],
)
def test_a_promise_that_every_path_keeps_is_no_fault(promise: Promise) -> None:
    """On the same track."""
    assert found(sound, promises=(promise,)) == []


def test_a_track_that_is_too_large_says_so() -> None:
    """A counter makes a new place at every turn: what is missing is not taken for unreachable."""

    async def story(lead: Lead) -> Outcome:
        turns = 0
        while not await lead.wait(days=30, until=page_viewed()):
            turns += 1
            await lead.alert("still here")
        if turns > 500:
            await lead.send("a")
        return nurtured

    made = told(story)
    graph = explore(made, CATALOGUE, most=200)
    assert not graph.whole
    assert faults_of(made, CATALOGUE, graph) == []
