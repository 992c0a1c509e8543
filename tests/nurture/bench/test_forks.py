"""ForkedWorld: every step and every end of a rest is a fork, and its ways are those that leads take."""

from itertools import islice

from nurture.bench.forks import Choose, ForkedWorld, along
from nurture.bench.life import Life
from nurture.journey.facts import Behaved, Done, Waited
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, opted_out, page_viewed
from nurture.journey.outcomes import Outcome, nurtured
from tests.journals import enrolled, kinds, on_track


async def a_week_after_a(lead: Lead) -> Outcome:
    await lead.send("a")
    await lead.wait(days=7, until=link_clicked("a") | page_viewed("/p?*"))
    return nurtured


TRACK = on_track(a_week_after_a, exits_on=(opted_out,), graduates_at=97)


def live(choose: Choose) -> tuple[Life, list[int]]:
    """A life along the ways chosen, and how many ways each fork had."""
    world = ForkedWorld(TRACK, choose)
    life = Life(TRACK, Journal([enrolled()]), world)
    life.live()
    return life, world.ways


def test_the_first_way_of_each_fork_is_the_plainest() -> None:
    """The step succeeds, the wait ends by time, and the score stays."""
    life, ways = live(along())
    assert [fact.by for fact in life.journal if isinstance(fact, Waited)] == ["time"]
    assert "scored" not in kinds(life.journal)
    assert ways == [2, 7]


def test_a_step_has_two_ways_and_the_second_is_refusal() -> None:
    """As the gate would, or an activity that gave up."""
    life, _ = live(along(1))
    assert [fact.result for fact in life.journal if isinstance(fact, Done)] == ["refused"]


def test_a_wait_ends_by_time_at_each_score_and_by_each_behaviour_that_its_code_listens_for() -> None:
    """Every way of the fork ends the wait; the exit rule's behaviours are not among them."""
    ended = []
    for way in range(7):
        life, _ = live(along(0, way))
        heard = [fact.name for fact in life.journal if isinstance(fact, Behaved)]
        highest = max(life.journal.scored(index).score for index in life.journal.scores)
        ended.append((heard, highest, "graduated" in kinds(life.journal)))
    assert ended == [
        ([], 10, False),
        ([], 60, False),
        ([], 97, True),
        (["email.clicked"], 10, False),
        (["email.clicked"], 60, False),
        (["page.viewed"], 10, False),
        (["page.viewed"], 60, False),
    ]


def test_a_wait_without_a_limit_for_an_exit_alone_has_no_way_on_but_graduation() -> None:
    """Nothing of the track's own code ends it."""

    async def for_good(lead: Lead) -> Outcome:
        await lead.wait(until=opted_out)
        return nurtured

    for rules, graduated in (({"graduates_at": 75}, True), ({}, False)):
        track = on_track(for_good, exits_on=(opted_out,), **rules)
        life = Life(track, Journal([enrolled()]), ForkedWorld(track, along()))
        turns = list(islice(life.turns(), 2))
        assert len(turns) == 1 + graduated
        assert ("graduated" in kinds(life.journal)) is graduated
