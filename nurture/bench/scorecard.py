"""A lead's score in memory: the lines that its traits and behaviours earned, and the score as of a moment."""

from collections.abc import Mapping
from datetime import datetime

from nurture.journey.facts import Behaved, Scored
from nurture.people.scoring import DEFAULT_MODEL, ScoreLine, ScoringModel


class Scorecard:
    """The score of one lead, whose traits were known at `at`."""

    __slots__ = ("_lines", "_model")

    def __init__(self, traits: Mapping[str, str], at: datetime, model: ScoringModel = DEFAULT_MODEL) -> None:
        self._model = model
        self._lines: list[ScoreLine] = model.fit_entries(traits, at)

    def add(self, behaved: Behaved) -> None:
        """Count a behaviour. Raises InputError for an unknown one."""
        self._lines += self._model.engagement_entries(behaved.id, behaved.name, behaved.subject, behaved.at)

    def score(self, at: datetime) -> Scored:
        """The score as of a moment."""
        score = self._model.score(self._lines, at)
        return Scored(at, score.total, score.stage)
