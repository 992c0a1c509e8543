"""Rehearse a track in memory: one lead, a clock you move, and what was sent. For the tests of a track; milliseconds.

    story = Rehearsal(new_lead)
    story.does("email.clicked", "welcome").passes(days=7)
    assert story.pieces == ["welcome", ...]

Time, waits, exits, graduation and scoring are the real ones. The gate is not asked: nothing is put off or refused.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from nurture.content.catalogue import Catalogue
from nurture.journey.decision import Decision, Finish, Park, Send
from nurture.journey.facts import Behaved, Done, Enrolled, Scored
from nurture.journey.journal import Journal
from nurture.journey.plan import NO_CONTENT, plan
from nurture.journey.track import Track
from nurture.journey.wording import say_next
from nurture.people.behaviours import behaviour_kind
from nurture.people.scoring import DEFAULT_MODEL, ScoreLine, ScoringModel, stage_of

MONDAY_MORNING = datetime(2026, 1, 5, 9, tzinfo=UTC)


class Rehearsal:
    """One lead on one track, in memory. It has entered, and rests at its first wait, once this is made.

    `answers` are what an engineer's own activities return, by name; without one, None. Methods return the rehearsal
    itself, so that a story reads in one line.
    """

    def __init__(
        self,
        track: Track,
        *,
        catalogue: Catalogue = NO_CONTENT,
        at: datetime = MONDAY_MORNING,
        traits: Mapping[str, str] | None = None,
        seen: tuple[str, ...] = (),
        scoring: ScoringModel = DEFAULT_MODEL,
        answers: Mapping[str, Any] | None = None,
    ) -> None:
        self.track = track
        self.now = at
        self._catalogue = catalogue
        self._scoring = scoring
        self._answers = answers or {}
        self._entries: list[ScoreLine] = scoring.fit_entries(traits or {}, at)
        score = scoring.score(self._entries, at)
        enrolled = Enrolled(at, "rehearsed", "rehearsal", score.total, score.stage, dict(traits or {}), seen)
        self.journal = Journal([enrolled])
        self.decision = Decision((), Park("start", None), ())
        self._go_on()

    # What happens to the lead

    def does(self, behaviour: str, subject: str = "") -> "Rehearsal":
        """The lead, or sales about it, behaves so now; it counts for the score. InputError for an unknown behaviour."""
        behaviour_kind(behaviour)
        number = f"rehearsed-{len(self.journal)}"
        self._entries += self._scoring.engagement_entries(number, behaviour, subject, self.now)
        self.journal = self.journal.extended([Behaved(self.now, number, behaviour, subject)])
        self._score_anew()
        self._go_on()
        return self

    def scores(self, score: int) -> "Rehearsal":
        """The score becomes this, whatever the rules say; until it is next taken anew."""
        self.journal = self.journal.extended([Scored(self.now, score, stage_of(score))])
        self._go_on()
        return self

    def passes(self, *, days: float = 0, hours: float = 0) -> "Rehearsal":
        """Time passes; each wait that ends on the way ends at its moment."""
        until = self.now + timedelta(days=days, hours=hours)
        while isinstance(self.decision.next, Park) and self.decision.next.until is not None:
            due = self.decision.next.until
            if due > until:
                break
            self.now = max(self.now, due)
            self._score_anew()
            self._go_on()
        self.now = until
        return self

    # What became of it

    @property
    def sent(self) -> list[tuple[datetime, str]]:
        """When which piece was sent, in order."""
        found = []
        for fact in self.journal:
            if isinstance(fact, Done):
                verb, _, subject = fact.key.rpartition("/")[2].partition(":")
                if verb == "send":
                    found.append((fact.at, subject.partition("~")[0]))
        return found

    @property
    def pieces(self) -> list[str]:
        """The pieces sent, in order."""
        return [piece for _, piece in self.sent]

    @property
    def did(self) -> list[str]:
        """The keys of the steps done, in order: `send:welcome`, `hand_off:sales`."""
        return [fact.key for fact in self.journal if isinstance(fact, Done)]

    @property
    def outcome(self) -> str | None:
        """How the journey ended; None while it runs."""
        return self.decision.next.outcome if isinstance(self.decision.next, Finish) else None

    @property
    def standing(self) -> str:
        """Where the lead stands, in words."""
        return say_next(self.decision.next)

    @property
    def because(self) -> tuple[str, ...]:
        """Why it stands there."""
        return self.decision.because

    def _score_anew(self) -> None:
        score = self._scoring.score(self._entries, self.now)
        last = self.journal.facts[self.journal.scores[-1]]
        assert isinstance(last, Scored | Enrolled)
        if (last.score, last.stage) != (score.total, score.stage):
            self.journal = self.journal.extended([Scored(self.now, score.total, score.stage)])

    def _go_on(self) -> None:
        while True:
            self.decision = plan(self.track, self.journal, self.now, self._catalogue)
            self.journal = self.journal.after(self.decision.facts)
            step = self.decision.next
            if isinstance(step, Park | Finish):
                return
            value = None if isinstance(step, Send) else self._answers.get(step.key.partition(":")[2])
            self.journal = self.journal.extended([Done(self.now, step.key, step.expected, value=value)])
