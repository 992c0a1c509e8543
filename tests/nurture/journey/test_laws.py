"""The laws of `plan`, over generated tracks, generated lives and random edits."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from nurture.journey.compaction import compact
from nurture.journey.decision import Decision, Finish, Park
from nurture.journey.facts import Chosen, Done, Fact, Paused, Resumed, Waited
from nurture.journey.journal import Journal
from nurture.journey.plan import look_ahead, plan
from nurture.journey.track import Track
from nurture.journey.wording import say_fact, say_next
from tests.nurture.journey.generated import CATALOGUE, happens, live, lives, person_ends, tracks
from tests.search import examples

many = examples(100)
few = examples(15)
"""For tracks that became quite another one: a search that finds nothing takes its whole budget."""

FACTS: TypeAdapter[tuple[Fact, ...]] = TypeAdapter(tuple[Fact, ...])
DECISION: TypeAdapter[Decision] = TypeAdapter(Decision)


@given(tracks, lives)
@many
def test_planning_again_what_plan_produced_changes_nothing(track: Track, chance: Random) -> None:
    """With a decision's facts appended, the next plan at the same moment derives nothing and says the same next."""
    for journal, now, decision in live(track, chance):
        for recorded in (journal.after(decision.facts), journal.extended(decision.facts)):
            again = plan(track, recorded, now, CATALOGUE)
            assert (again.facts, again.next) == ((), decision.next)


@given(tracks, lives)
@many
def test_plan_is_deterministic(track: Track, chance: Random) -> None:
    """The same journal at the same moment gives the same decision, also when it is indexed again from its facts."""
    for journal, now, decision in live(track, chance):
        assert plan(track, Journal(journal.facts, journal.decided), now, CATALOGUE) == decision


@given(tracks, lives)
@many
def test_a_completed_step_is_never_repeated(track: Track, chance: Random) -> None:
    """What comes next, or is derived, is never something that the journal already settled."""
    for journal, _, decision in live(track, chance):
        settled = set(journal.steps)
        derived = [fact.key for fact in decision.facts if isinstance(fact, Waited | Chosen)]
        assert len(set(derived)) == len(derived)
        assert settled.isdisjoint(derived)
        if not isinstance(decision.next, Finish):
            assert decision.next.key not in settled | set(derived)


@given(tracks, lives, st.integers(0, 20))
@many
def test_after_an_exit_nothing_is_ever_sent(track: Track, chance: Random, turn: int) -> None:
    """Whatever a lead does, scores or is overridden to after it left, the journey stays over."""
    for number, (journal, now, _) in enumerate(live(track, chance)):
        if number < turn:
            continue
        over = person_ends(journal, now)
        for hours in range(0, 2000, 200):
            later = now + timedelta(hours=hours)
            decision = plan(track, over, later, CATALOGUE)
            assert decision.facts == ()
            assert isinstance(decision.next, Finish)
            over = over.extended([happens(chance, later, paused=over.paused)])
        return


@given(tracks, lives)
@many
def test_a_decision_that_records_an_end_is_the_last_one(track: Track, chance: Random) -> None:
    """An exit or a finish is the last fact of its decision, and what comes next is the end."""
    for _journal, _now, decision in live(track, chance):
        ended = [fact for fact in decision.facts if fact.kind in ("exited", "finished")]
        assert bool(ended) == isinstance(decision.next, Finish)
        assert not ended or decision.facts[-1] is ended[-1]


@given(tracks, lives)
@many
def test_compaction_changes_no_plan(track: Track, chance: Random) -> None:
    """A journal compacted at any turn, once and again, gives the same decisions ever after."""
    slim: Journal | None = None
    seen = 0
    for journal, now, decision in live(track, chance):
        if slim is None:
            slim = journal
        else:
            undecided = journal.facts[max(journal.decided, seen) :]
            slim = slim.after(journal.facts[seen : len(journal) - len(undecided)]).extended(undecided)
        seen = len(journal)
        assert plan(track, slim, now, CATALOGUE) == decision
        if chance.random() < 0.4:
            slim = compact(slim)
            assert plan(track, slim, now, CATALOGUE) == decision
            assert compact(slim) == slim


@given(tracks, tracks, lives)
@few
def test_compaction_changes_no_plan_of_any_other_code(track: Track, edited: Track, chance: Random) -> None:
    """What compaction drops, no edit of the track can ask for. Three points of a life: each is a whole search."""
    lived = list(live(track, chance))
    for journal, now, _ in chance.sample(lived, min(3, len(lived))):
        assert plan(edited, compact(journal), now, CATALOGUE) == plan(edited, journal, now, CATALOGUE)


@given(tracks, tracks, lives)
@few
def test_a_life_goes_on_over_any_edit(track: Track, edited: Track, chance: Random) -> None:
    """A lead whose track became quite another one still moves: no step twice, and the laws hold on."""
    *_, (journal, now, decision) = live(track, chance, turns=chance.randint(1, 15))
    for after, then, following in live(edited, chance, journal.after(decision.facts), now, turns=20):
        again = plan(edited, after.after(following.facts), then, CATALOGUE)
        assert (again.facts, again.next) == ((), following.next)
        held = isinstance(following.next, Park) and following.next.why == "held"  # its key is where the lead stood
        if not isinstance(following.next, Finish) and not held:
            assert following.next.key not in after.steps


@given(tracks, lives)
@many
def test_facts_and_decisions_cross_the_wire_unchanged(track: Track, chance: Random) -> None:
    """JSON and back gives an equal value, looked-ahead decisions included; and everything can be said in English."""
    for journal, now, decision in live(track, chance):
        ahead = look_ahead(track, journal, decision, now, CATALOGUE)
        assert FACTS.validate_json(FACTS.dump_json(journal.facts)) == journal.facts
        assert DECISION.validate_json(DECISION.dump_json(ahead)) == ahead
        assert all(say_fact(fact) for fact in journal)
        assert say_next(decision.next)
        assert all(isinstance(reason, str) for reason in decision.because)


@given(tracks, lives)
@many
def test_looking_ahead_foresees_exactly_what_plan_then_says(track: Track, chance: Random) -> None:
    """If the step succeeds at the same moment, the foreseen park is the planned one."""
    for journal, now, decision in live(track, chance):
        ahead = look_ahead(track, journal, decision, now, CATALOGUE)
        if ahead.then is not None:
            assert not isinstance(decision.next, Park | Finish)
            done = Done(now, decision.next.key, decision.next.expected)
            assert plan(track, journal.after(decision.facts).after([done]), now, CATALOGUE) == ahead.then


@given(tracks, lives)
@many
def test_pausing_only_moves_time(track: Track, chance: Random) -> None:
    """A journey paused for a month and resumed has each deadline a month later, and the same next otherwise."""
    month = timedelta(days=30)
    for journal, now, decision in live(track, chance):
        following = decision.next
        if journal.paused or not isinstance(following, Park) or following.why != "wait" or decision.facts:
            continue
        moved = paused_for(journal, now, month)
        later = plan(track, moved, now + month, CATALOGUE)
        until = following.until + month if following.until is not None else None
        assert (later.facts, later.next) == ((), replace(following, until=until))


def paused_for(journal: Journal, now: datetime, length: timedelta) -> Journal:
    """The journal after a pause of this length."""
    return journal.after([Paused(now), Resumed(now + length)])
