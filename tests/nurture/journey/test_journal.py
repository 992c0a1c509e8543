"""The journal: its index, what it remembers of scores, behaviours and pauses, and its compaction."""

from dataclasses import replace
from datetime import timedelta

import pytest

from nurture.journey.compaction import compact
from nurture.journey.facts import (
    Chosen,
    Deferred,
    Done,
    Exited,
    Explained,
    Finished,
    Graduated,
    Held,
    Overridden,
    Paused,
    Released,
    Renamed,
    Resumed,
    Scored,
    Waited,
    Waiting,
)
from nurture.journey.journal import Entry, Journal
from tests.journals import START, at, clicked, did, enrolled, journal, scored, sent


def test_a_journal_built_at_once_equals_one_that_grew() -> None:
    """Appending fact by fact gives the same index as reading the whole."""
    facts = (
        enrolled(),
        sent(0, "a"),
        clicked(1, "a"),
        scored(1, 30),
        Waited(at(1), "send:a/wait", "behaviour", "email.clicked", "a"),
        Chosen(at(1), "next_piece:awareness", "b"),
        Deferred(at(1), "send:b", at(2), "caps"),
        Paused(at(1)),
        Resumed(at(2)),
        Overridden(at(2)),
        Renamed(at(2), "send:a", "send:x"),
        Waiting(at(2), "send:a/wait~2", 86_400.0, (), at(3)),
        Graduated(at(3), 80),
        Done(at(3), "graduation/hand_off:sales", "done"),
        Done(at(3), "catch-up/send:terms", "sent"),
        Deferred(at(3), "send:c", at(4), "caps"),
        Explained(at(3), 1.0, ("x",)),
        Held(at(3), ("y",)),
        Released(at(3), "send:d"),
        Exited(at(4), "opted out"),
    )
    grown = Journal()
    for fact in facts:
        grown = grown.extended([fact])
    whole = Journal(facts)
    assert grown == whole
    assert vars(grown).keys() == vars(whole).keys()
    for name in vars(whole).keys() - {"entries", "set_aside", "caught_up"}:
        assert getattr(grown, name) == getattr(whole, name)
    for name in ("entries", "set_aside", "caught_up"):
        assert [spelled(entry) for entry in getattr(grown, name)] == [spelled(entry) for entry in getattr(whole, name)]


def spelled(entry: Entry) -> tuple[str, str, int]:
    """What an entry says."""
    return entry.name, entry.settled, entry.index


def test_the_entries_are_what_was_settled_and_then_where_the_lead_stands() -> None:
    """A wait that a graduation interrupted stays one; what was done to catch up is none."""
    found = journal(
        sent(0, "a"),
        Waiting(at(0), "send:a/wait", 86_400.0, (), at(1)),
        Graduated(at(1), 80),
        Done(at(1), "graduation/hand_off:sales", "done"),
        Done(at(1), "catch-up/send:terms", "sent"),
        Waiting(at(2), "send:a/wait", 86_400.0, (), at(3)),
    )
    assert [(entry.name, bool(entry.settled)) for entry in found.entries[:-1]] == [
        ("send:a", True),
        ("wait", False),
        ("graduated!", False),
        ("graduation/hand_off:sales", True),
        ("wait", False),
    ]
    assert found.stands is found.entries[-2]
    assert [entry.name for entry in found.caught_up] == ["send:terms"]
    assert found.progress == 4


def test_a_put_off_send_is_where_the_lead_stands_until_it_is_done() -> None:
    """And no longer."""
    found = journal(Deferred(at(0), "send:a", at(2), "caps"))
    assert [entry.name for entry in found.entries[:-1]] == ["send:a"]
    assert found.extended([sent(2, "a")]).stands is None


def test_extending_leaves_the_journal_as_it_was() -> None:
    """A what-if over a longer journal does not touch the shorter one."""
    short = journal(sent(0, "a"))
    before = (short.facts, dict(short.steps), dict(short.deferred), short.decided)
    short.extended([sent(1, "b"), Deferred(at(1), "send:c", at(2), "caps")], decided=1)
    assert (short.facts, short.steps, short.deferred, short.decided) == before


def test_after_a_decision_everything_has_been_looked_at() -> None:
    """`after` moves what is decided to the end; `extended` leaves it unless told."""
    start = Journal([enrolled()])
    assert start.after([sent(0, "a")]).decided == 2
    assert start.extended([sent(0, "a")]).decided == 0
    assert start.extended([sent(0, "a")], decided=1).decided == 1


def test_a_journal_starts_with_enrolment() -> None:
    """Any other first fact is refused where it is asked for."""
    assert journal().enrolled == enrolled()
    with pytest.raises(ValueError, match="starts with Enrolled"):
        Journal([sent(0, "a")]).enrolled  # noqa: B018 - it is the reading that raises


def test_the_score_and_the_behaviours_of_a_position_are_those_recorded_up_to_it() -> None:
    """Positions before, at and after each fact."""
    found = journal(scored(1, 20), clicked(2, "a"), scored(3, 40), clicked(4, "b"))
    assert [found.scored(position).score for position in range(5)] == [10, 20, 20, 40, 40]
    assert [[fact.subject for fact in found.behaved(position)] for position in range(5)] == [
        [],
        [],
        ["a"],
        ["a"],
        ["b", "a"],
    ]
    assert [[fact.subject for fact in found.behaved_from(position)] for position in range(6)] == [
        ["a", "b"],
        ["a", "b"],
        ["a", "b"],
        ["b"],
        ["b"],
        [],
    ]


def test_time_stood_still_is_counted_from_the_fact_asked_about() -> None:
    """Pauses before it count nothing, one that it fell into counts from it, an open one counts up to now."""
    found = journal(Paused(at(0)), Resumed(at(1)), Paused(at(2)), sent(3, "a"), Resumed(at(5)), Paused(at(8)))
    assert found.stood_still(4, at(8)) == timedelta(days=2)
    assert found.stood_still(4, at(10)) == timedelta(days=4)
    assert found.stood_still(0, at(10)) == timedelta(days=1 + 3 + 2)


def test_pausing_twice_is_one_pause() -> None:
    """A second pause neither restarts nor doubles the first."""
    found = journal(sent(0, "a"), Paused(at(1)), Paused(at(2)), Resumed(at(4)), Resumed(at(6)))
    assert found.stood_still(1, at(9)) == timedelta(days=3)


def test_the_first_end_is_the_end() -> None:
    """What is recorded after it changes no outcome."""
    assert journal(Finished(at(1), "nurtured"), Exited(at(2), "late")).end == Finished(at(1), "nurtured")


def test_alike_behaviours_become_one_with_a_count_in_their_first_place() -> None:
    """Alternating behaviours of one gap keep the order in which each first came, and the time of the last."""
    views = [did(day, "page.viewed", path) for day, path in ((1, "/x"), (2, "/y"), (3, "/x"), (4, "/y"), (5, "/x"))]
    slim = compact(journal(sent(0, "a"), *views))
    assert slim.facts[2:] == (
        replace(views[0], times=3, last=at(5)),
        replace(views[1], times=2, last=at(4)),
    )
    assert slim.decided == len(slim)


def test_behaviours_on_two_sides_of_a_step_stay_apart() -> None:
    """A read as of the step must not see what came after it."""
    facts = journal(clicked(1, "a"), clicked(2, "a"), sent(3, "b"), clicked(4, "a"))
    assert [getattr(fact, "times", None) for fact in compact(facts).facts[1:]] == [2, None, 1]


def test_in_the_present_wait_one_that_says_it_came_earlier_stays_on_its_own() -> None:
    """A wait made shorter may still ask which of them came in time."""
    late = journal(sent(0, "a"), clicked(5, "a"), clicked(3, "a"), clicked(6, "a"), clicked(4, "a"))
    slim = compact(late)
    assert [(fact.at, getattr(fact, "times", 0)) for fact in slim.facts[2:]] == [(at(5), 1), (at(3), 3)]


def test_in_the_present_wait_one_from_before_it_never_stands_for_one_within() -> None:
    """A report of a click from before the enrolment is not merged with the click that ends the wait."""
    facts = journal(sent(3, "a"), clicked(-1, "a"), clicked(4, "a"))
    assert [fact.at for fact in compact(facts).facts[2:]] == [at(-1), at(4)]


def test_of_the_scores_between_two_steps_the_last_and_the_lowest_stay() -> None:
    """The last is what reads see; the lowest is what re-arms a graduation, whatever its threshold becomes."""
    facts = journal(scored(1, 50), scored(2, 30), scored(3, 70), scored(4, 60), sent(5, "a"), scored(6, 10))
    kept = [fact.score for fact in compact(facts) if isinstance(fact, Scored)]
    assert kept == [30, 60, 10]


def test_settled_deferrals_and_spent_overrides_and_pauses_go() -> None:
    """What still holds a send, or moves the present wait, stays."""
    spent = journal(
        Deferred(at(0), "send:a", at(1), "caps"), Paused(at(0)), Resumed(at(1)), Overridden(at(1)), sent(1, "a")
    )
    assert compact(spent) == journal(sent(1, "a"))
    holding = journal(
        sent(1, "a"), Paused(at(2)), Resumed(at(3)), Deferred(at(3), "send:b", at(9), "caps"), Overridden(at(4))
    )
    assert compact(holding) == holding


def test_an_override_of_a_put_off_send_outlives_the_graduation_that_came_between() -> None:
    """The person's word still holds when the lead returns to that send."""
    facts = journal(
        Deferred(at(1), "send:a", at(9), "caps"),
        Overridden(at(2)),
        Graduated(at(2), 80),
        Done(at(2), "graduation/hand_off:sales", "done"),
    )
    assert compact(facts) == facts


def test_what_no_decision_has_looked_at_stays_as_it_is() -> None:
    """Undecided facts are carried over one by one, and are still undecided."""
    facts = journal(clicked(1, "a"), clicked(2, "a")).extended([clicked(3, "a"), clicked(4, "a"), scored(4, 80)])
    slim = compact(facts)
    assert slim.facts[slim.decided :] == facts.facts[facts.decided :]
    assert slim.decided == 2


def test_a_journal_of_a_year_of_page_views_stays_small() -> None:
    """Ten thousand views in one unlimited wait compact to one fact a page, and no count is lost."""
    views = [did(day / 20, "page.viewed", f"/page-{day % 7}") for day in range(1, 10_001)]
    slim = compact(journal(sent(0, "a"), *views))
    assert len(slim) == 2 + 7
    assert sum(fact.times for fact in slim.behaved(len(slim))) == 10_000


def test_journals_compare_by_their_facts_and_what_is_decided() -> None:
    """Equal facts with another `decided` are another journal."""
    assert journal(sent(0, "a")) == journal(sent(0, "a"))
    assert Journal([enrolled()]) != journal()
    assert journal() != "a journal"
    assert "Enrolled" in repr(journal())
    assert list(journal()) == [enrolled()]
    assert journal(sent(4, "a")).last_at == at(4)
    assert len(journal()) == 1
    assert journal().facts[0].at == START
