"""A life lived again without a behaviour, or with one more."""

from datetime import timedelta

import pytest

from nurture.bench.relive import Relived, With, Without, relive
from nurture.errors import InputError
from nurture.journey.facts import Done
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, opted_out
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.plan import NO_CONTENT
from nurture.journey.track import track
from tests.journals import Journey, at, clicked, did


@track("letters", exits_on=(opted_out,), graduates_at=75)
async def letters(lead: Lead) -> Outcome:
    """A letter, and another kind of letter to who clicked."""
    await lead.send("one")
    if await lead.wait(days=7, until=link_clicked("one")):
        await lead.send("more")
    await lead.send("two")
    await lead.wait(days=7)
    return nurtured


def lived(*heard: object) -> Journal:
    journey = Journey(letters)
    journey.go(10, *heard)  # type: ignore[arg-type] # facts
    return journey.journal


def sends(journal: Journal) -> list[tuple[str, float]]:
    return [(fact.key, (fact.at - at()) / timedelta(days=1)) for fact in journal if isinstance(fact, Done)]


def told(relived: Relived) -> list[tuple[str, bool]]:
    return [(each.what, each.alike) for each in relived.happens]


def test_without_a_click_the_wait_runs_out_and_the_other_branch_is_taken() -> None:
    """What followed from the click never happens."""
    relived = relive(letters, lived(clicked(2, "one")), [Without("email.clicked", "one")], at(10), NO_CONTENT)
    assert sends(relived.journal) == [("send:one", 0), ("send:two", 7)]
    assert not any(alike for _, alike in told(relived)[:2])
    assert any("more" in each.what for each in relived.never)


def test_with_a_click_the_wait_ends_there() -> None:
    """The past before it stands."""
    relived = relive(letters, lived(), [With("email.clicked", "one", at(2))], at(10), NO_CONTENT)
    assert sends(relived.journal) == [("send:one", 0), ("send:more", 2), ("send:two", 2)]
    assert relived.since == at(2)


def test_with_and_without_the_same_behaviour_all_is_as_it_was() -> None:
    """What happens alike is told so, and nothing is lost."""
    journal = lived(clicked(2, "one"))
    changes = [Without("email.clicked", "one", at(2)), With("email.clicked", "one", at(2))]
    relived = relive(letters, journal, changes, at(10), NO_CONTENT)
    assert sends(relived.journal) == sends(journal)
    assert all(each.alike for each in relived.happens)
    assert not any("sent" in each.what or "passed" in each.what for each in relived.never)


def test_what_else_the_world_did_happens_again() -> None:
    """An opt-out after the click that is left out ends the life as it did."""
    journal = lived(clicked(2, "one"), did(5, "lead.opted_out"))
    relived = relive(letters, journal, [Without("email.clicked")], at(10), NO_CONTENT)
    assert sends(relived.journal) == [("send:one", 0)]
    assert relived.journal.end is not None


def test_a_refusal_is_a_refusal_again() -> None:
    """The outcome of a step is the recorded one, wherever it stands."""
    journal = lived(clicked(2, "one"))
    facts = [
        Done(each.at, each.key, "refused", "no consent")
        if getattr(each, "key", "") == "send:two" and isinstance(each, Done)
        else each
        for each in journal
    ]
    relived = relive(letters, Journal(facts, len(facts)), [Without("email.clicked")], at(10), NO_CONTENT)
    assert [fact.result for fact in relived.journal if isinstance(fact, Done)] == ["sent", "refused"]


def test_a_score_moves_by_what_the_rules_give_the_behaviour() -> None:
    """A demo that is asked for makes the lead ready for sales; the recorded score is the base."""
    quiet = relive(letters, lived(), [With("page.viewed", "/nowhere", at(2))], at(10), NO_CONTENT)
    keen = relive(letters, lived(), [With("demo.requested", "", at(2))], at(10), NO_CONTENT)
    last = [journal.scored(len(journal)).score for journal in (quiet.journal, keen.journal)]
    assert last[0] < last[1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (Without("email.clicked", "two"), "it is not in this journal; there is email.clicked=one"),
        (Without("email.cliked"), "unknown behaviour"),
        (With("email.clicked", "one", at(-1)), "give a time between"),
        (With("email.clicked", "one", at(11)), "give a time between"),
    ],
)
def test_a_change_that_changes_nothing_is_refused(change: Without | With, says: str) -> None:
    """Each with what can be."""
    with pytest.raises(InputError, match=says):
        relive(letters, lived(clicked(2, "one")), [change], at(10), NO_CONTENT)
