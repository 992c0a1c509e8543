"""simulate: months of a track in memory, under the rules of production."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import pytest

from nurture.bench.behaviour_model import BehaviourModel, PlannedBehaviour
from nurture.bench.simulate import MONTH, SimulatedLead, Simulation, simulate
from nurture.content.folder import load_catalogue
from nurture.errors import InputError
from nurture.gate import Caps, GateRules
from nurture.journey.facts import Behaved, Done, Scored
from nurture.journey.track import load_tracks
from nurture.timing.calendar import is_open
from tests.paths import CONTENT

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
TRACK = load_tracks("workflows.tracks")["new-lead"]
ZONES = ("UTC", "America/New_York", "Asia/Tokyo")
TRAITS = {"topic": "forecasting", "industry": "retail", "seniority": "vp"}
LEADS = tuple(SimulatedLead(f"L{number}", TRAITS, ZONES[number % 3]) for number in range(60))


@cache
def six_months(seed: int = 1, rules: GateRules | None = None) -> Simulation:
    """Sixty leads on the new-lead track for half a year."""
    catalogue = load_catalogue(CONTENT)
    return simulate(TRACK, LEADS, BehaviourModel(seed), start=START, months=6, catalogue=catalogue, rules=rules)


class Silence:
    """A model of leads who never do anything."""

    def after_enrolment(self, lead_id: str, track: str, at: datetime) -> list[PlannedBehaviour]:
        return []

    def after_touch(self, lead_id: str, touch_id: str, piece: str, at: datetime) -> list[PlannedBehaviour]:
        return []

    def after_hand_off(self, lead_id: str, hand_off_id: str, at: datetime) -> list[PlannedBehaviour]:
        return []


def test_the_same_seed_lives_the_same_months() -> None:
    """Journal for journal; and another seed lives others."""
    assert six_months.__wrapped__(1).journals == six_months(1).journals
    assert six_months(2).journals != six_months(1).journals


def test_every_lead_is_welcomed_and_the_counts_add_up() -> None:
    """Each lead has a journal and one outcome, and nothing happened after the months were over."""
    simulation = six_months()
    assert set(simulation.journals) == {lead.id for lead in LEADS}
    assert sum(simulation.outcomes.values()) == len(LEADS)
    assert simulation.sent["send:welcome"] == len(LEADS)
    assert all(journal.last_at <= START + 6 * MONTH + timedelta(seconds=1) for journal in simulation.journals.values())


def test_of_a_lead_still_under_way_nothing_is_recorded_after_the_months() -> None:
    """A wait that ends later is not lived: neither its end nor the score of that day."""
    catalogue = load_catalogue(CONTENT)
    lost_deal = load_tracks("workflows.tracks")["lost-deal"]
    simulation = simulate(lost_deal, LEADS, BehaviourModel(1), start=START, months=5, catalogue=catalogue)
    assert simulation.outcomes["under way"] > 0
    assert max(journal.last_at for journal in simulation.journals.values()) <= START + 5 * MONTH


def test_nothing_is_sent_outside_the_leads_own_window_or_above_its_caps() -> None:
    """The gate of production stands in the way here as well."""
    rules = GateRules(caps=Caps(per_day=1, per_week=1, per_month=3))
    simulation = six_months(rules=rules)
    assert simulation.deferred
    for lead in LEADS:
        sends = [fact.at for fact in simulation.journals[lead.id] if isinstance(fact, Done) and fact.result == "sent"]
        assert all(is_open(at, lead.time_zone, rules.window, lead.country) for at in sends)
        assert all(later - earlier >= timedelta(days=7) for earlier, later in pairwise(sends))
        assert all(later - earlier >= timedelta(days=30) for earlier, later in zip(sends, sends[3:], strict=False))


def test_who_opts_out_is_sent_nothing_more() -> None:
    """In no journal does a send follow an opt-out."""
    simulation = six_months()
    out = 0
    for journal in simulation.journals.values():
        left = [fact.at for fact in journal if isinstance(fact, Behaved) and fact.name == "lead.opted_out"]
        out += bool(left)
        assert not any(isinstance(fact, Done) and left and fact.at > left[0] for fact in journal)
    assert out > 0
    assert simulation.outcomes["exited: opted out"] == out


def test_leads_who_engage_rise_in_score_and_some_reach_sales() -> None:
    """The score moves with what leads do; the threshold is reached by some and not by all."""
    simulation = six_months()
    assert any(isinstance(fact, Scored) for journal in simulation.journals.values() for fact in journal)
    handed = sum("handed to sales" in outcome for outcome in simulation.outcomes.elements())
    assert 0 < handed < len(LEADS)
    assert simulation.graduated < len(LEADS)


def test_a_what_if_changes_only_what_was_changed() -> None:
    """A threshold that nobody reaches graduates nobody; the same leads behave the same otherwise."""
    catalogue = load_catalogue(CONTENT)
    never = replace(TRACK, graduates_at=None)
    simulation = simulate(never, LEADS, BehaviourModel(1), start=START, months=6, catalogue=catalogue)
    assert simulation.graduated == 0
    untouched = [id_ for id_, journal in six_months().journals.items() if not journal.graduations]
    assert untouched
    assert all(simulation.journals[id_] == six_months().journals[id_] for id_ in untouched)


def test_leads_who_never_do_anything_are_nurtured_to_the_end() -> None:
    """Silence leads to no hand-off, and the track ends by itself."""
    catalogue = load_catalogue(CONTENT)
    simulation = simulate(TRACK, LEADS[:3], Silence(), start=START, months=24, catalogue=catalogue)
    assert simulation.outcomes == {"nurtured": 3}
    assert simulation.graduated == 0


def test_a_naive_start_is_refused() -> None:
    """Times are aware."""
    with pytest.raises(InputError, match="aware"):
        simulate(TRACK, LEADS, Silence(), start=START.replace(tzinfo=None), months=1, catalogue=None)  # type: ignore[arg-type]
