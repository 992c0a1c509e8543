"""Months of a track for thousands of leads, in memory: plan, the gate and the score under a virtual clock.

The same rules as in production, without a server: what a lead does comes from a behaviour model, what it gets from
`plan` and `judge`. For what-ifs over a whole segment, and for a first look at a new track. It is not a forecast.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Protocol, assert_never

from nurture.bench.behaviour_model import PlannedBehaviour
from nurture.bench.belonging import Belonging
from nurture.bench.life import Life, put_off, refused, succeeded
from nurture.bench.scorecard import Scorecard
from nurture.content.catalogue import Catalogue
from nurture.errors import InputError
from nurture.gate import Allow, Defer, GateRules, LeadState, PastTouch, Refuse, SendRequest, judge
from nurture.journey.decision import AnyStep, HandOff, Park, Send
from nurture.journey.facts import AnyFact, Behaved, Deferred, Done, Enrolled, Graduated, Scored
from nurture.journey.journal import Journal
from nurture.journey.keys import Key
from nurture.journey.matchers import opted_out
from nurture.journey.track import Track
from nurture.people.scoring import DEFAULT_MODEL, ScoringModel
from nurture.segments.named import Segment

MONTH = timedelta(days=30)


class Model(Protocol):
    """How leads behave: `nurture.bench.behaviour_model.BehaviourModel`, or one of your own."""

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
    """The journals after these months, by lead, and how many decisions were taken."""

    journals: Mapping[str, Journal]
    decisions: int

    @property
    def sent(self) -> Counter[str]:
        """How often each step went out, by key without its count."""
        return Counter(
            Key.parse(fact.key).place for fact in self._facts() if isinstance(fact, Done) and fact.result == "sent"
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
    segments: Mapping[str, Segment] | None = None,
) -> Simulation:
    """Enrol these leads at `start` (aware) and live N months of 30 days; `rules` are the gate's, else the track's.

    Each lead is on this track alone, and consents until it opts out. Deterministic, if the model is. Raises InputError
    for a naive start or an unknown time zone, TrackError if the track's code breaks.
    """
    if start.tzinfo is None:
        raise InputError("a simulation starts at an aware moment, in UTC")
    belonging = Belonging(track, segments or {}, scoring)
    journals: dict[str, Journal] = {}
    decisions = 0
    for lead in leads:
        world = SimulatedWorld(track, lead, model, catalogue, rules or track.gate_rules, scoring, start)
        score = world.score(start)
        first = Enrolled(start, lead.id, "simulated", score.score, score.stage, dict(lead.traits))
        life = Life(track, Journal([first]), world, catalogue=catalogue, belonging=belonging)
        decisions += sum(1 for _ in life.turns(until=start + months * MONTH))
        journals[lead.id] = life.journal
    return Simulation(journals, decisions)


class SimulatedWorld:
    """What happens to one lead: the model's behaviours in order, its score by the rules, and the gate before a send."""

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
        self._track, self._lead, self._model = track, lead, model
        self._catalogue, self._rules = catalogue, rules
        self._card = Scorecard(lead.traits, start, scoring)
        self._touches: list[PastTouch] = []
        self._consents = True
        self._planned: list[tuple[datetime, str, PlannedBehaviour]] = []
        self._expect(model.after_enrolment(lead.id, track.name, start))

    def answer(self, step: AnyStep, now: datetime) -> Done | Deferred:
        """Ask the gate before a send; any other step succeeds."""
        if isinstance(step, Send):
            return self._send(step, now)
        if isinstance(step, HandOff):
            self._expect(self._model.after_hand_off(self._lead.id, f"{self._lead.id}/{step.key}", now))
        return succeeded(step, now)

    def next_event(self, park: Park, now: datetime, by: datetime | None) -> Behaved | None:  # noqa: ARG002 - the protocol's
        """The next behaviour of the model."""
        if not self._planned or (by is not None and self._planned[0][0] > by):
            return None
        _, _, planned = heappop(self._planned)
        behaved = Behaved(planned.at, planned.id, planned.name, planned.subject)
        self._consents = self._consents and not opted_out.matches(behaved.name, behaved.subject)
        self._card.add(behaved)
        return behaved

    def score(self, now: datetime) -> Scored:
        """The score by the rules."""
        return self._card.score(now)

    def _send(self, step: Send, now: datetime) -> Done | Deferred:
        lead, track = self._lead, self._track
        topic = self._catalogue.get(step.piece).topic
        request = SendRequest(now, lead.id, track.name, track.priority, lead.time_zone, lead.country, topic)
        state = LeadState("granted" if self._consents else "withdrawn", touches=tuple(self._touches))
        match verdict := judge(request, state, self._rules):
            case Allow():
                self._touches.append(PastTouch(now, track.name))
                self._expect(self._model.after_touch(lead.id, f"{lead.id}/{step.key}", step.piece, now))
                return succeeded(step, now)
            case Defer():
                return put_off(step, now, verdict.until, verdict.reason)
            case Refuse():
                return refused(step, now, verdict.reason)
            case _:
                assert_never(verdict)

    def _expect(self, behaviours: list[PlannedBehaviour]) -> None:
        for each in behaviours:
            heappush(self._planned, (each.at, each.id, each))
