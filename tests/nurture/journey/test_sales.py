"""hand_to_sales: the offer, its SLA, the escalation, and the four ways it ends."""

import pytest

from nurture.journey.decision import AlertStep, Finish, HandOff, Park
from nurture.journey.facts import Done, Waited
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, rested
from nurture.journey.patterns import hears
from nurture.journey.sales import PATIENCE, SLA, hand_to_sales
from tests.journals import Journey, at, did, on_track


async def offer(lead: Lead) -> Outcome:
    outcome = await hand_to_sales(lead)
    return rested if outcome.returns else outcome


def offered() -> Journey:
    """A lead that has been offered to sales on day 0."""
    journey = Journey(on_track(offer))
    journey.go(0)
    return journey


def test_the_offer_names_the_score_and_then_waits_for_sales() -> None:
    """Sales has two days; the lead listens for each answer that sales can give."""
    journey = Journey(on_track(offer))
    assert journey.decide().next == HandOff("hand_off:sales", "sales", "score 10")
    following = journey.go(0).next
    assert isinstance(following, Park)
    assert (following.key, following.until) == ("hand_off:sales/wait", at(0) + SLA)
    for name in ("sales.accepted", "sales.rejected", "deal.opened", "deal.won"):
        assert hears(following.listens, name, "")


@pytest.mark.parametrize("answer", ["sales.accepted", "deal.opened", "deal.won"])
def test_accepted_within_the_sla_it_is_handed_over(answer: str) -> None:
    """An acceptance, and a deal that speaks for itself, end nurture."""
    assert offered().decide(did(1, answer)).next == Finish("handed to sales")


def test_rejected_within_the_sla_the_lead_comes_back() -> None:
    """A rejection with any reason recycles the lead at once, without an escalation."""
    journey = offered()
    assert journey.decide(did(1, "sales.rejected", "no budget")).next == Finish("rested")
    assert not any("alert" in key for key in journey.keys)


def test_unanswered_it_is_escalated_once_and_can_still_be_accepted() -> None:
    """After the SLA people are alerted; an answer in the days of patience counts as before."""
    journey = offered()
    assert isinstance(journey.go(1.9).next, Park)
    journey.now = at(2)
    assert isinstance(journey.decide().next, AlertStep)
    following = journey.go(2).next
    assert isinstance(following, Park)
    assert following.until == at(2) + PATIENCE
    assert journey.decide(did(4, "sales.accepted")).next == Finish("handed to sales")


def test_escalated_and_then_rejected_the_lead_comes_back() -> None:
    """A late rejection is a rejection."""
    journey = offered()
    journey.go(3)
    assert journey.decide(did(4, "sales.rejected")).next == Finish("rested")


def test_never_answered_the_lead_comes_back() -> None:
    """When patience ends without an answer, nurture takes the lead back."""
    journey = offered()
    assert journey.go(8).next == Finish("rested")
    waits = [fact for fact in journey.journal if isinstance(fact, Waited)]
    assert [(fact.by, fact.at) for fact in waits] == [("time", at(2)), ("time", at(7))]


def test_a_hand_off_that_was_refused_still_waits_for_no_longer_than_the_sla() -> None:
    """A broken channel to sales shows as an unanswered offer, and is escalated."""
    journey = Journey(on_track(offer))
    journey.decide()
    journey.decide(Done(at(0), "hand_off:sales", "refused", "no team"))
    journey.now = at(2)
    assert isinstance(journey.decide().next, AlertStep)
