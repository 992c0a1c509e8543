"""Rehearse a track in memory: one lead, a clock you move, and what was sent. For the tests of a track; milliseconds.

    story = Rehearsal(new_lead)
    story.does("email.clicked", "welcome").passes(days=7)
    assert story.pieces == ["welcome", ...]

Time, waits, exits, graduation and scoring are the real ones. The gate is not asked: nothing is put off or refused
but what the rehearsal is told.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import to_jsonable_python

from nurture.bench.belonging import Belonging
from nurture.bench.life import Life, QuietWorld, put_off, refused, succeeded
from nurture.bench.scorecard import Scorecard
from nurture.content.catalogue import Catalogue
from nurture.errors import InputError
from nurture.journey.decision import AnyStep, Do, Finish
from nurture.journey.facts import Behaved, Deferred, Done, Enrolled, Scored
from nurture.journey.journal import Journal
from nurture.journey.keys import Key
from nurture.journey.settle import AssignedLead
from nurture.journey.track import Track
from nurture.journey.wording import say_next
from nurture.people.behaviours import behaviour_kind
from nurture.people.scoring import DEFAULT_MODEL, ScoringModel, stage_of
from nurture.segments.named import Segment

MONDAY_MORNING = datetime(2026, 1, 5, 9, tzinfo=UTC)


class Rehearsal:
    """One lead on one track, in memory. It has entered, and rests at its first wait, once this is made.

    `answers` are what an engineer's own activities return, by name: a value, or a function of the argument; without
    one, None. `chooses` says which variant of an experiment the lead gets; `refuses` which steps are refused, by piece,
    team, activity or key, and why; `puts_off` for how long a step is put off before it is done; `segments`
    what the names mean that `lead.is_in` is asked by. Methods return the rehearsal itself, so that a story reads in one
    line.
    """

    def __init__(
        self,
        track: Track,
        *,
        catalogue: Catalogue | None = None,
        at: datetime = MONDAY_MORNING,
        traits: Mapping[str, str] | None = None,
        seen: tuple[str, ...] = (),
        scoring: ScoringModel = DEFAULT_MODEL,
        answers: Mapping[str, Any] | None = None,
        chooses: Mapping[str, str] | None = None,
        refuses: Mapping[str, str] | Collection[str] = (),
        puts_off: Mapping[str, timedelta] | None = None,
        segments: Mapping[str, Segment] | None = None,
    ) -> None:
        traits = dict(traits or {})
        self._card = Scorecard(traits, at, scoring)
        self._behaviours = 0
        score = self._card.score(at)
        lead = AssignedLead("rehearsed", chooses or {})
        enrolled = Enrolled(at, lead, "rehearsal", score.score, score.stage, traits, seen)
        reasons = refuses if isinstance(refuses, Mapping) else dict.fromkeys(_names(refuses), "refused in rehearsal")
        world = _RehearsedWorld(self._card, answers or {}, reasons, puts_off or {})
        belonging = Belonging(track, segments or {}, scoring)
        self._life = Life(track, Journal([enrolled]), world, catalogue=catalogue or _NO_CATALOGUE, belonging=belonging)
        self._go_on()

    # What happens to the lead

    def does(self, behaviour: str, subject: str = "") -> "Rehearsal":
        """The lead, or sales about it, behaves so now; it counts for the score. InputError for an unknown behaviour."""
        behaviour_kind(behaviour)
        self._behaviours += 1
        behaved = Behaved(self.now, f"rehearsed-{self._behaviours}", behaviour, subject)
        self._card.add(behaved)
        self._life.hear(behaved)
        return self._go_on()

    def scores(self, score: int) -> "Rehearsal":
        """The score becomes this, whatever the rules say, until it is taken again."""
        self._life.record(Scored(self.now, score, stage_of(score)))
        return self._go_on()

    def passes(self, *, days: float = 0, hours: float = 0) -> "Rehearsal":
        """Time passes; each wait that ends on the way ends at its moment."""
        self._life.live(until=self.now + timedelta(days=days, hours=hours))
        return self

    # What became of it

    @property
    def now(self) -> datetime:
        """The time it is for the lead."""
        return self._life.now

    @property
    def journal(self) -> Journal:
        """All that was recorded."""
        return self._life.journal

    @property
    def sent(self) -> list[tuple[datetime, str]]:
        """When which piece was sent, in order."""
        found = []
        for fact in self.journal:
            if isinstance(fact, Done) and fact:
                key = Key.parse(fact.key)
                if key.verb == "send":
                    found.append((fact.at, key.subject))
        return found

    @property
    def pieces(self) -> list[str]:
        """The pieces sent, in order."""
        return [piece for _, piece in self.sent]

    @property
    def did(self) -> list[str]:
        """The keys of the steps done, in order: `send:welcome`, `hand_off:sales`."""
        return [fact.key for fact in self.journal if isinstance(fact, Done) and fact]

    @property
    def outcome(self) -> str | None:
        """How the journey ended; None while it runs."""
        return self._life.next.outcome if isinstance(self._life.next, Finish) else None

    @property
    def standing(self) -> str:
        """Where the lead stands, in words."""
        assert self._life.next is not None
        return say_next(self._life.next)

    @property
    def because(self) -> tuple[str, ...]:
        """Why it stands there."""
        assert self._life.decision is not None
        return self._life.decision.because

    def _go_on(self) -> "Rehearsal":
        self._life.live(until=self.now)
        return self


class _RehearsedWorld(QuietWorld):
    """Every step goes as the rehearsal was told, else well; the score is by the rules."""

    def __init__(
        self,
        card: Scorecard,
        answers: Mapping[str, Any],
        refuses: Mapping[str, str],
        puts_off: Mapping[str, timedelta],
    ) -> None:
        self._card = card
        self._answers = answers
        self._refuses = refuses
        self._puts_off = dict(puts_off)

    def answer(self, step: AnyStep, now: datetime) -> Done | Deferred:
        for name in (step.key, Key.parse(step.key).name, Key.parse(step.key).subject):
            if (length := self._puts_off.pop(name, None)) is not None:
                return put_off(step, now, now + length, "put off in rehearsal")
            if name in self._refuses:
                return refused(step, now, self._refuses[name])
        if not isinstance(step, Do):
            return succeeded(step, now)
        value = self._answers.get(step.activity)
        return succeeded(step, now, to_jsonable_python(value(step.arg) if callable(value) else value))

    def score(self, now: datetime) -> Scored:
        return self._card.score(now)


class _NoCatalogue(Catalogue):
    """Stands where a rehearsal was given none, and says so when a piece is to be chosen."""

    def pick(self, *_: Any, **__: Any) -> str | None:
        """No piece. Raises InputError."""
        raise InputError(
            'this rehearsal has no catalogue to choose a piece from; write catalogue=load_catalogue("content")'
        )


_NO_CATALOGUE = _NoCatalogue({})


def _names(refuses: Collection[str]) -> Collection[str]:
    return (refuses,) if isinstance(refuses, str) else refuses
