"""The laws of edits, over generated tracks, edits and worlds.

`python -m tests.laws` runs the same oracles over as many cases as asked for, by kind of edit.
"""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.author import Author
from tests.laws.cases import LONGEST, several, single
from tests.laws.edits import KINDS, Engineer
from tests.laws.lives import Life, Planned
from tests.laws.model import Model
from tests.laws.oracles import HORIZON, Case, judge, too_often
from tests.laws.stories import tell
from tests.laws.tracks import MAIN, Send
from tests.laws.world import any_world
from tests.search import examples

PROGRESS = ("done", "waited", "chosen", "graduated", "exited", "finished")
"""Kinds of facts that no rollback takes back."""

seeds = st.integers(0, 2**32)
CASES = 6
"""How many cases of each kind of edit; `make nightly` tries thousands, with fresh seeds."""

some = examples(25)


def told(case: Case) -> str:
    """The story of a case, for a failing assert."""
    return "\n" + tell(case, judge(case))


@given(seeds)
@some
def test_an_unedited_life_is_what_the_tree_says(seed: int) -> None:
    """The engine and the model that runs the tree itself live the same life, to the minute."""
    chance = Random(seed)
    program, world = Author(chance).program(chance.randint(3, 12)), any_world(chance)
    assert Life(Planned(program), world).live(HORIZON).acts == Life(Model(program), world).live(HORIZON).acts


@pytest.mark.parametrize("kind", KINDS)
def test_after_one_edit_a_lead_does_what_the_table_says(kind: str) -> None:
    """Ahead of it, as if the code had always been so; past it, as if it had never been; in it, by its row."""
    held = 0
    for seed in range(CASES):
        _, case = single(seed, kind)
        judged = judge(case)
        assert judged.verdict not in {"wrong", "error"}, told(case)
        assert not judged.twice, told(case)
        held += judged.held
    assert held <= 1, f"{held} of {CASES} leads held"


@given(seeds)
@some
def test_over_several_edits_nothing_is_mailed_twice_and_nobody_is_ended(seed: int) -> None:
    """Two to five edits, rollbacks among them: no piece more often than some version sends it, no early end."""
    _, case = several(seed)
    judged = judge(case)
    assert judged.verdict != "error", told(case)
    assert not judged.twice, told(case)
    assert not judged.ended, told(case)


@given(seeds, st.sampled_from(KINDS))
@some
def test_an_edit_that_is_rolled_back_at_once_never_was(seed: int, kind: str) -> None:
    """If no step and no wait came to its end meanwhile, the life goes on as the one that was never edited."""
    _, case = single(seed, kind)
    day, after = case.edits[0]
    minds = [Planned(case.before), Planned(case.before)]
    untouched, life = (Life(mind, case.world).live(day) for mind in minds)
    life.edit(after)
    if len({tuple(fact for fact in mind.journal if fact.kind in PROGRESS) for mind in minds}) > 1:
        return
    life.edit(case.before)
    untouched.edit(case.before)
    back = replace(case, edits=(*case.edits, (day, case.before)))
    assert life.live(HORIZON).acts == untouched.live(HORIZON).acts, told(back)


@given(seeds, st.sampled_from(KINDS))
@some
def test_a_lead_before_the_edit_lives_as_if_the_code_had_always_been_so(seed: int, kind: str) -> None:
    """Where both versions would have left the same journal, the edit is ahead of the lead."""
    _, case = single(seed, kind)
    day, after = case.edits[0]
    life, always = (Life(Planned(program), case.world).live(day) for program in (case.before, after))
    if life.mind.journal != always.mind.journal or life.ended is not None:
        return
    life.edit(after)
    always.edit(after)
    assert life.live(HORIZON).acts == always.live(HORIZON).acts, told(case)


@given(seeds)
@some
def test_each_plan_over_edits_keeps_the_laws_of_a_plan(seed: int) -> None:
    """Planning again changes nothing, compaction changes no plan, nothing follows an end; before and after edits."""
    _, case = several(seed, size=8)
    life = Life(Planned(case.before, watched=True), case.world)
    for day, program in case.edits:
        life.live(day).edit(program, case.when)
    life.live(LONGEST)


@given(seeds, st.sampled_from(KINDS))
@some
def test_two_versions_taking_turns_mail_nothing_twice(seed: int, kind: str) -> None:
    """While a deploy rolls, either version decides; no piece goes out more often than one of them sends it."""
    _, case = single(seed, kind)
    day, after = case.edits[0]
    mind = Planned(case.before, seed=seed)
    life = Life(mind, case.world).live(day)
    mind.edit(after)
    mind.other = mind_before = Planned(case.before).track
    assert mind_before is not None
    life.live(day + 20)
    mind.other = None
    assert not too_often(case.versions, life.live(HORIZON).acts), told(case)


@given(seeds)
@some
def test_a_step_put_in_behind_with_catch_up_reaches_everybody_once(seed: int) -> None:
    """`catch_up=True` on a step of the track's straight line: leads past it get it too, and once."""
    chance = Random(seed)
    program, world = Author(chance).program(chance.randint(3, 8)), any_world(chance, calm=True)
    found = Engineer(chance, program).edit("insert with catch_up")
    if found is None:
        return
    after = found[1]
    sends = [each for each in after.statements().values() if isinstance(each, Send)]
    new = next(each for each in sends if each.catch_up)
    if any(each.piece == new.piece for each in sends if each is not new):
        return
    life = Life(Planned(program), world).live(round(chance.uniform(0, 60), 1))
    if life.ended is not None or after.parents()[new.id][0] != MAIN:
        return
    life.edit(after)
    life.live(HORIZON)
    sent = sum(act == f"send {new.piece}" for _, act in life.acts)
    assert sent == 1 or (sent == 0 and (life.resting is not None or life.ended == "exited" or _left_early(life)))


def _left_early(life: Life) -> bool:
    """Whether the lead left the track before its last line, so that it may not have come by."""
    return life.ended != "nurtured"
