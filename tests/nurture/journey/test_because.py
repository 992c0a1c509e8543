"""The reasons: what a decision says it was made because of, and how facts, steps and reads are said."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.journey.decision import AlertStep, AnyNext, Do, Enrol, Finish, HandOff, Park, Send
from nurture.journey.facts import (
    AnyFact,
    Behaved,
    Chosen,
    Deferred,
    Done,
    Enrolled,
    Exited,
    Finished,
    Graduated,
    Overridden,
    Paused,
    Resumed,
    Scored,
    Waited,
)
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, page_viewed
from nurture.journey.outcomes import Outcome, ReEntry, nurtured
from nurture.journey.plan import plan
from nurture.journey.reads import Length, ObservedInt
from nurture.journey.wording import say_fact, say_key, say_next, say_park, say_reason
from tests.journals import START, at, clicked, journal, on_track, scored, sent


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        (Enrolled(START, "L1"), "enrolled"),
        (Enrolled(START, "L1", "content download"), "enrolled (content download)"),
        (Behaved(START, "1", "email.clicked", "tip", 3), "clicked a link in tip 3 times"),
        (Scored(START, 42, "decision"), "score is 42, stage decision"),
        (Done(START, "send:tip", "sent"), "tip was sent"),
        (Done(START, "send:tip", "unknown", "no answer"), "tip may have been sent; it is not known"),
        (Done(START, "graduation/hand_off:sales", "done"), "offered to sales"),
        (Done(START, "alert:look here", "done"), "alerted: look here"),
        (Done(START, "enrol:lost-deal", "done"), "enrolled on lost-deal"),
        (Done(START, "do:enrich", "done"), "did enrich"),
        (Done(START, "send:tip~2", "refused", "capped"), "send tip (2) refused: capped"),
        (
            Deferred(START, "send:tip", at(1), "quiet hours"),
            "send tip put off until 2026-03-03 09:00 UTC: quiet hours",
        ),
        (Waited(START, "a/wait", "time"), "time ran out"),
        (
            Waited(START, "a/wait", "time", "page.viewed", "/pricing*"),
            "time ran out; the lead never viewed page /pricing*",
        ),
        (Waited(START, "a/wait", "behaviour", "demo.requested"), "asked for a demo"),
        (Waited(START, "a/wait", "override"), "a person ended the wait"),
        (Chosen(START, "next_piece:awareness", None), "next piece awareness: nothing left"),
        (Paused(START), "paused"),
        (Resumed(START), "resumed"),
        (Overridden(START), "a person ended the wait"),
        (Graduated(START, 80), "score 80 reached the track's threshold"),
        (Exited(START, "opted out"), "left the track: opted out"),
        (Finished(START, "rested"), "finished: rested"),
    ],
)
def test_every_kind_of_fact_is_said_in_plain_english(fact: AnyFact, says: str) -> None:
    """The words of the timeline and of the reasons."""
    assert say_fact(fact) == says
    assert say_reason(fact) == says


@pytest.mark.parametrize(
    ("following", "says"),
    [
        (Send("send:tip", "tip"), "send tip"),
        (HandOff("hand_off:sales", "sales", ""), "offer to sales"),
        (AlertStep("alert:x", "x"), "alert: x"),
        (Enrol("enrol:lost-deal", "lost-deal"), "enrol on lost-deal"),
        (Do("do:enrich", "enrich"), "do enrich"),
        (Park("send:tip~2/wait", None), "wait after send tip (2)"),
        (Park("start/wait", None), "wait after enrolment"),
        (Park("send:tip", at(1), why="deferred"), "send tip, put off"),
        (Park("send:tip", None, why="paused"), "paused"),
        (Finish("rested"), "finish: rested"),
    ],
)
def test_whatever_comes_next_is_said_in_a_few_words(following: AnyNext, says: str) -> None:
    """The words of the Temporal UI's summaries."""
    assert say_next(following) == says
    if isinstance(following, Park):
        assert say_park(following) == says


def test_a_key_is_said_without_its_punctuation() -> None:
    """Verb, subject and count."""
    assert say_key("hand_off:sales") == "hand off sales"
    assert say_key("graduation/send:tip~3") == "send tip (3)"


async def asks(lead: Lead) -> Outcome:
    await lead.send("a")
    if lead.trait("industry") == "retail" or lead.times(link_clicked()) > 2:
        await lead.send("b")
    if lead.has(page_viewed("/pricing*"), within=timedelta(days=30)) or lead.stage == "decision":
        await lead.send("c")
    return nurtured


def test_every_read_is_a_reason() -> None:
    """A trait, a count, a look back, the stage: each with what it found."""
    decision = plan(on_track(asks), journal(clicked(0, "a"), sent(0, "a")), at(0))
    assert decision.because == (
        "a was sent",
        "industry = not known",
        "times it clicked a link in any mail = 1 <= 2",
        "not: viewed page /pricing* within 30 days",
        "stage = awareness",
    )


def test_reasons_go_back_to_the_last_settled_step_and_no_further() -> None:
    """What was read before an earlier step had its say when that step was decided."""

    async def story(lead: Lead) -> Outcome:
        if lead.score < 50:
            await lead.send("a")
        if lead.score == 10:
            await lead.send("b")
        return nurtured

    assert plan(on_track(story), journal(sent(0, "a")), at(0)).because == ("a was sent", "score = 10")


def test_a_number_kept_over_a_step_still_leaves_its_note() -> None:
    """A score read before a wait and compared after it is a reason of what follows."""

    async def story(lead: Lead) -> Outcome:
        before = lead.score
        await lead.send("a")
        if lead.score > before:
            await lead.send("warmer")
        return nurtured

    decision = plan(on_track(story), journal(scored(0, 30), sent(0, "a")), at(0))
    assert decision.because == ("a was sent", "score = 30 > 10")


def observed(value: int, notes: list[Any]) -> ObservedInt:
    """An observed number with its notes."""
    number = ObservedInt(value)
    number.name, number.notes = "score", notes
    return number


@given(st.integers(0, 100), st.integers(0, 100) | st.floats(0, 100))
def test_an_observed_number_compares_as_the_number_it_is(value: int, other: float) -> None:
    """Every comparison gives the plain answer, with whole and broken numbers, and its note states a truth."""
    notes: list[Any] = []
    number = observed(value, notes)
    assert [number < other, number <= other, number > other, number >= other, number == other, number != other] == [
        value < other,
        value <= other,
        value > other,
        value >= other,
        value == other,
        value != other,
    ]
    assert bool(number) == bool(value)
    for name, left, op, right in notes:
        assert name == "score"
        assert eval(f"{left!r} {op} {right!r}")  # noqa: S307 - a note is an expression, and a true one


def test_two_observed_numbers_leave_one_note() -> None:
    """Comparing a read with a read is one reason, said once."""
    notes: list[Any] = []
    assert observed(3, notes) < observed(5, notes)
    assert notes == [("score", 3, "<", 5)]
    assert hash(observed(3, notes)) == hash(3)


def test_a_length_is_worked_out_once_and_only_when_needed() -> None:
    """It counts, compares and prints as the length it stands for."""
    asked: list[int] = []

    def work_out() -> timedelta:
        asked.append(1)
        return timedelta(days=4)

    length = Length(work_out, "cadence")
    assert asked == []
    day = timedelta(days=1)
    assert [+(length + day), +(day + length), +(length - day), +(day - length)] == [5 * day, 5 * day, 3 * day, -3 * day]
    assert [+(length * 2), +(2 * length), +(length / 2)] == [8 * day, 8 * day, 2 * day]
    assert [(length * 2).span, (length + day).span] == ["cadence * 2", "cadence + 86400 s"]
    assert length > day
    assert length >= Length(work_out, "cadence")
    assert length < 5 * day
    assert length <= 4 * day
    assert length == 4 * day
    assert length != day
    assert hash(length) == hash(4 * day)
    assert (length.days, length.total_seconds(), str(length)) == (4, 4 * 86400.0, "4 days, 0:00:00")
    assert len(asked) == 2


def test_a_re_entry_rule_says_itself() -> None:
    """The reason that a refused enrolment gives."""
    assert str(ReEntry.never()) == "a lead enters it once"
    assert str(ReEntry(timedelta(days=90))) == "a lead may enter again 90 days after its last journey ended"
    assert ReEntry.once_over().after == timedelta(0)
