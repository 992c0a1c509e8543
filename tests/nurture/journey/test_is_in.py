"""`lead.is_in(segment)`: an observed read of what the journal was told, as of the place that the code has come to."""

from datetime import timedelta
from typing import Any

import pytest

from nurture.bench.named import unanswered_names
from nurture.bench.paths.explore import explore
from nurture.bench.rehearsal import Rehearsal
from nurture.bench.retrace import PastDecision, retrace
from nurture.errors import InputError, TrackError
from nurture.journey.compaction import compact
from nurture.journey.facts import Belongs, Enrolled, Waited
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.plan import NO_CONTENT, plan
from nurture.journey.track import track
from nurture.journey.wording import say_next
from nurture.segments import days, page_viewed, segment, segment_entered, trait
from nurture.segments.entered import segments_entered
from nurture.segments.named import Segments
from tests.journals import at

EVALUATORS = segment("evaluators", trait("industry") == "finance", page_viewed("/pricing*").within(days(14)))
KNOWN = Segments((EVALUATORS,))
WEEK_OVER = Waited(at(7), "start/wait", "time", length=7 * 86_400.0)


@track("prices")
async def prices(lead: Lead) -> Outcome:
    """Evaluators get the case study, others a guide."""
    await lead.wait(days=7)
    if lead.is_in(EVALUATORS):
        await lead.send("case-study")
    else:
        await lead.send("guide")
    return nurtured


@track("prices")
async def by_name(lead: Lead) -> Outcome:
    """As above, by the segment's name."""
    await lead.wait(days=7)
    await lead.send("case-study" if lead.is_in("evaluators") else "guide")
    return nurtured


def test_what_a_rehearsed_lead_does_puts_it_into_a_segment() -> None:
    """The segment is found out in memory, before each decision."""
    evaluator = Rehearsal(prices, traits={"industry": "finance"}).passes(days=3).does("page.viewed", "/pricing")
    assert evaluator.passes(days=10).pieces == ["case-study"]
    assert Rehearsal(prices, traits={"industry": "finance"}).passes(days=10).pieces == ["guide"]
    assert Rehearsal(by_name, traits={"industry": "finance"}, segments=KNOWN).passes(days=10).pieces == ["guide"]


def test_the_because_says_whether_the_lead_was_in_it() -> None:
    """In the words of the segment."""
    within, outside = Belongs(at(7), ("evaluators",)), Belongs(at(7), (), ("evaluators",))
    for told, said in ((within, "in segment evaluators"), (outside, "not in segment evaluators")):
        journal = Journal([Enrolled(at(0), "L1"), told, WEEK_OVER])
        assert said in plan(prices, journal, at(7)).because


def test_a_segment_that_a_lead_has_left_since_counts_as_it_was_where_it_was_read() -> None:
    """So a past decision is retraced alike, whatever the lead is in today."""
    journal = Journal([Enrolled(at(0), "L1"), Belongs(at(7), ("evaluators",)), WEEK_OVER])
    decided = plan(prices, journal, at(7))
    past = PastDecision(journal, at(7), decided.facts, say_next(decided.next), None, decided.because)
    assert retrace(prices, [past], NO_CONTENT)[0].today is None
    left = journal.after([*decided.facts, Belongs(at(9), (), ("evaluators",))])
    assert say_next(plan(prices, left, at(9)).next) == "send case-study"


def test_what_is_told_first_holds_before_it_too() -> None:
    """A journey whose track asks before the first step is told at its first wake."""
    journal = Journal([Enrolled(at(0), "L1"), Belongs(at(0), ("evaluators",))])
    assert journal.belongs("evaluators", 0) is True
    assert journal.belongs("others", 0) is None


def test_both_answers_are_explored() -> None:
    """A check sees the way of those in a segment and of those who are not."""
    sent = {getattr(place.next, "piece", None) for place in explore(prices, NO_CONTENT).places}
    assert {"case-study", "guide"} <= sent


def test_compaction_keeps_what_was_told_first_and_last() -> None:
    """Between two positions a lead may go in and out many times."""
    outside, within = ((), ("evaluators",)), (("evaluators",), ())
    told = [Belongs(at(day), *(within if day % 2 else outside)) for day in range(6)]
    journal = Journal([Enrolled(at(0), "L1"), *told]).after()
    compacted = compact(journal)
    assert [fact for fact in compacted if isinstance(fact, Belongs)] == [told[0], told[-1]]
    assert compacted.belongs("evaluators", 0) == journal.belongs("evaluators", 0)
    assert compacted.belongs("evaluators", len(compacted)) == journal.belongs("evaluators", len(journal))


def test_a_rehearsal_is_told_what_a_name_means() -> None:
    """Else it says which name, and where the track asks for it."""
    with pytest.raises(InputError, match=r"test_is_in.py:\d+: no segment called 'evaluators'"):
        Rehearsal(by_name)


def test_a_segment_that_only_a_run_can_know_is_refused_where_it_is_asked() -> None:
    """Which segments to look up is read off the source."""
    with pytest.raises(TrackError, match="of what only a run can know"):

        @track("made-up")
        async def made_up(lead: Lead) -> Outcome:
            name: Any = lead.trait("topic")
            await lead.wait(timedelta(days=1))
            await lead.send("a" if lead.is_in(name) else "b")
            return nurtured


def test_a_segment_starts_a_track_and_wakes_no_journey() -> None:
    """Whoever listens for it is told at `check`."""

    @track("prices", enters_on=segment_entered(EVALUATORS), exits_on=(segment_entered("others"),))
    async def listening(lead: Lead) -> Outcome:
        await lead.wait(until=segment_entered(EVALUATORS), days=1)
        return nurtured

    assert str(listening.enters_on) == "entered segment evaluators"
    assert segments_entered(listening) == ("evaluators",)
    (said,) = {each.partition(": ")[2] for each in unanswered_names(listening, NO_CONTENT)}
    assert said.startswith("listens for a segment, which wakes no journey")
