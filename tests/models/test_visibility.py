"""What a journey's page in the Temporal UI says."""

from __future__ import annotations

from datetime import timedelta

from models.visibility import attributes, details
from nurture.journey.decision import Park
from nurture.journey.facts import Done, Enrolled, Explained, Held, TapeChoice, Waiting
from nurture.journey.journal import Journal
from nurture.people.scoring import DEFAULT_MODEL
from tests.builders import NOON

WEEK = timedelta(days=7)
LIVED = (
    Enrolled(NOON, "l1"),
    Done(NOON, "send:welcome", "sent"),
    Waiting(NOON, "send:welcome/wait", WEEK.total_seconds(), (), NOON + WEEK),
)


def test_a_held_lead_says_what_could_not_be_explained_and_what_to_do() -> None:
    """Its step is `held`, by which a list of journeys is filtered; its stage stays the lead's own."""
    journal = Journal([*LIVED, Held(NOON, ("`a` is gone",))])
    place = Park("send:welcome/wait", None, why="held")
    page = details(journal, place, ("`a` is gone",), NOON)
    assert "- nothing is sent: `a` is gone" in page
    assert "`release LEAD" in page
    shown = attributes(journal, place, DEFAULT_MODEL)
    assert (shown["Step"], shown["Stage"]) == ("held", "awareness")


def test_a_page_says_how_an_edit_was_read_until_it_is_taken_back() -> None:
    """A hold ends the reading, and an empty one says that the code and the journal agree again."""
    said = "`terms` was put in behind this lead: skipped"
    edited = Journal([*LIVED, Explained(NOON, 1.0, (said,), (TapeChoice(1, "send:terms", "skip"),))])
    place = Park("send:welcome/wait", NOON + WEEK)
    assert f"- the track was edited: {said}" in details(edited, place, ("welcome was sent",), NOON)
    held = edited.extended([Held(NOON, ("`a` is gone",))])
    assert "edited" not in details(held, Park("held", None, why="held"), ("`a` is gone",), NOON)
    back = edited.extended([Explained(NOON)])
    assert "edited" not in details(back, place, ("welcome was sent",), NOON)
