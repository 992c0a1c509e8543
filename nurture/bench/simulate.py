"""Months of a track for thousands of leads, in memory: plan, the gate and the score under a virtual clock.

The same rules as in production, without a server: what a lead does comes from a behaviour model, what it gets from
`plan` and `judge`. For what-ifs over a whole segment, and for a first look at a new track. It is no forecast.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import Protocol

from nurture.bench.behaviour_model import PlannedBehaviour
from nurture.content.catalogue import Catalogue
from nurture.errors import InputError
from nurture.gate import Allow, Defer, GateRules, LeadState, PastTouch, Refuse, SendRequest, judge
from nurture.journey.decision import AnyStep, Finish, HandOff, Park, Send
from nurture.journey.facts import AnyFact, Behaved, Deferred, Done, Enrolled, Graduated, Scored
from nurture.journey.journal import Journal
from nurture.journey.matchers import opted_out
from nurture.journey.patterns import hears
from nurture.journey.plan import plan
from nurture.journey.track import Track
from nurture.people.scoring import DEFAULT_MODEL, ScoreLine, ScoringModel

MONTH = timedelta(days=30)


class Model(Protocol):
    """Who says what a lead does: `nurture.bench.behaviour_model.BehaviourModel`, or one's own."""

    def after_enrolment(self, lead_id: str, track: str, at: datetime) -> list[PlannedBehaviour]:
        """What the lead does of its own accord."""

    def after_touch(self, lead_id: str, touch_id: str, piece: str, at: datetime) -> list[PlannedBehaviour]:
        """What comes of a touch."""

    def after_hand_off(self, lead_id: str, hand_off_id: str, at: datetime) -> list[PlannedBehaviour]:
        """What comes of an offer to sales."""


@dataclass(frozen=True, slots=True)
class SimulatedLead:
    """A lead: its traits (slugs), an IANA time zone, and its country (ISO 3166 alpha-2) or None."""

    id: str
    traits: Mapping[str, str] = field(default_factory=dict)
    time_zone: str = "UTC"
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Simulation:
    """The journals that the months left behind, by lead, and how many decisions it took."""

    journals: Mapping[str, Journal]
    decisions: int

    @property
    def sent(self) -> Counter[str]:
        """How often each step went out, by key without its count."""
        return Counter(
            fact.key.partition("~")[0] for fact in self._facts() if isinstance(fact, Done) and fact.result == "sent"
        )

    @property
    def deferred(self) -> Counter[str]:
        """How often sends were put off, by reason."""
        return Counter(fact.reason for fact in self._facts() if isinstance(fact, Deferred))

    @property
    def graduated(self) -> int:
        """How many leads reached the track's threshold."""
        return sum(any(isinstance(fact, Graduated) for fact in journal) for journal in self.journals.values())

    @property
    def outcomes(self) -> Counter[str]:
        """How many journeys ended, by outcome; `under way` are those that have not."""
        ends = (journal.end for journal in self.journals.values())
        said = (getattr(end, "outcome", None) or f"exited: {getattr(end, 'reason', '')}" if end else "" for end in ends)
        return Counter(each or "under way" for each in said)

    def _facts(self) -> Iterable[AnyFact]:
        return (fact for journal in self.journals.values() for fact in journal)


def simulate(
    track: Track,
    leads: Iterable[SimulatedLead],
    model: Model,
    *,
    start: datetime,
    months: float,
    catalogue: Catalogue,
    rules: GateRules | None = None,
    scoring: ScoringModel = DEFAULT_MODEL,
) -> Simulation:
    """Enrol these leads at `start` (aware) and live so many months; `rules` of the gate, the track's own by default.

    Each lead is on this track alone, and consents until it opts out. Deterministic, if the model is. Raises InputError
    for a naive start or an unknown time zone, TrackError if the track's code breaks.
    """
    if start.tzinfo is None:
        raise InputError("a simulation starts at an aware moment, in UTC")
    journals: dict[str, Journal] = {}
    decisions = 0
    for lead in leads:
        life = _Life(track, lead, model, catalogue, rules or track.gate_rules, scoring, start)
        life.live(until=start + months * MONTH)
        journals[lead.id] = life.journal
        decisions += life.decisions
    return Simulation(journals, decisions)


class _Life:
    """One lead's months."""

    def __init__(  # noqa: PLR0917 - all of them, always
        self,
        track: Track,
        lead: SimulatedLead,
        model: Model,
        catalogue: Catalogue,
        rules: GateRules,
        scoring: ScoringModel,
        start: datetime,
    ) -> None:
        self.track, self.lead, self.model = track, lead, model
        self.catalogue, self.rules, self.scoring = catalogue, rules, scoring
        self.now = start
        self.decisions = 0
        self.touches: list[PastTouch] = []
        self.consents = True
        self.entries: list[ScoreLine] = scoring.fit_entries(lead.traits, start)
        self.score = scoring.score(self.entries, start)
        self.ahead: list[tuple[datetime, str, PlannedBehaviour]] = []
        self._foresee(model.after_enrolment(lead.id, track.name, start))
        first = Enrolled(start, lead.id, "simulated", self.score.total, self.score.stage, dict(lead.traits))
        self.journal = Journal([first])

    def live(self, until: datetime) -> None:
        """Go on until the journey ends, or until this moment."""
        while self.now <= until:
            decision = plan(self.track, self.journal, self.now, self.catalogue)
            self.decisions += 1
            self.journal = self.journal.after(decision.facts)
            following = decision.next
            if isinstance(following, Finish):
                return
            if isinstance(following, Park):
                self._rest(following, until)
            else:
                self.journal = self.journal.extended([self._carry_out(following)])

    def _rest(self, park: Park, until: datetime) -> None:
        """Live on at a park until its moment, or until something ends the rest."""
        end = until + timedelta(seconds=1) if park.until is None else park.until
        unheard: list[AnyFact] = []
        while self.ahead and self.ahead[0][0] <= min(end, until):
            self.now, _, behaviour = heappop(self.ahead)
            self.consents = self.consents and not opted_out.matches(behaviour.name, behaviour.subject)
            self.entries += self.scoring.engagement_entries(
                behaviour.id, behaviour.name, behaviour.subject, behaviour.at
            )
            unheard.append(Behaved(behaviour.at, behaviour.id, behaviour.name, behaviour.subject))
            wakes = hears(park.listens, behaviour.name, behaviour.subject)
            if wakes or self._would_graduate(park):
                self.journal = self.journal.after(unheard[:-1]).extended([unheard[-1], *self._rescored()])
                return
        self.now = end
        self.journal = self.journal.after(unheard).extended(self._rescored())

    def _would_graduate(self, park: Park) -> bool:
        if park.wakes_at_score is None:
            return False
        return self.scoring.score(self.entries, self.now).total >= park.wakes_at_score

    def _rescored(self) -> list[AnyFact]:
        before, self.score = self.score, self.scoring.score(self.entries, self.now)
        if (self.score.total, self.score.stage) == (before.total, before.stage):
            return []
        return [Scored(self.now, self.score.total, self.score.stage)]

    def _carry_out(self, step: AnyStep) -> AnyFact:
        if isinstance(step, Send):
            return self._send(step)
        if isinstance(step, HandOff):
            self._foresee(self.model.after_hand_off(self.lead.id, f"{self.lead.id}/{step.key}", self.now))
        return Done(self.now, step.key, step.expected)

    def _send(self, step: Send) -> AnyFact:
        lead, track = self.lead, self.track
        topic = self.catalogue.get(step.piece).topic
        ask = SendRequest(self.now, lead.id, track.name, track.priority, lead.time_zone, lead.country, topic)
        standing = LeadState("granted" if self.consents else "withdrawn", touches=tuple(self.touches))
        match judge(ask, standing, self.rules):
            case Allow():
                self.touches.append(PastTouch(self.now, track.name))
                self._foresee(self.model.after_touch(lead.id, f"{lead.id}/{step.key}", step.piece, self.now))
                return Done(self.now, step.key, step.expected)
            case Defer(until=until, reason=reason):
                return Deferred(self.now, step.key, until, reason)
            case Refuse(reason=reason):
                return Done(self.now, step.key, "refused", reason)

    def _foresee(self, behaviours: list[PlannedBehaviour]) -> None:
        if not self.ahead:
            self.ahead = [(each.at, each.id, each) for each in behaviours]
            heapify(self.ahead)
            return
        for each in behaviours:
            heappush(self.ahead, (each.at, each.id, each))
