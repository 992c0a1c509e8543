"""Hear what a run of a track asks of its lead, so that the other answers can be explored too."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from types import FrameType
from typing import TYPE_CHECKING, Any

from nurture.bench.paths.graph import Line
from nurture.journey.calls import Call, ChoiceCall
from nurture.journey.facts import Released
from nurture.journey.matchers import Matcher
from nurture.journey.wording import SEGMENT
from nurture.people.scoring import stage_of

if TYPE_CHECKING:
    from nurture.journey.journal import Entry
    from nurture.journey.run import Run

Question = tuple[int, str]
"""What is asked of the lead (`times it clicked a link in any mail >= 3`), and as of which fact."""

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_BY_ITSELF = ("times it ", "value of ", SEGMENT)
"""Answers that are turned round as they are: how often, what an own activity returned, whether in a segment."""


@dataclass(slots=True)
class Had:
    """`lead.has(...)` was asked, as of a fact, and it was not so."""

    position: int
    matcher: Matcher
    within: timedelta | None


class _Notes(list[Any]):
    """The notes of a run; what is noted is heard before it is cleared."""

    def __init__(self, hearer: Hearer) -> None:
        super().__init__()
        self._hearer = hearer

    def append(self, note: Any) -> None:
        self._hearer.note(note)
        super().append(note)


@dataclass
class Hearer:
    """A reader of a journal that fits its code; it only listens, and turns the answers in `turned` round."""

    files: frozenset[str]
    turned: frozenset[Question] = frozenset()
    run: Run = field(init=False)
    line: Line | None = None
    lines: set[Line] = field(default_factory=set)
    choices: dict[tuple[str, tuple[str, ...]], Line] = field(default_factory=dict)
    experiments: dict[str, tuple[str, ...]] = field(default_factory=dict)
    scores: list[tuple[int, str]] = field(default_factory=list)
    traits: dict[str, dict[str, None]] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)
    had: list[Had] = field(default_factory=list)
    matchers: dict[Matcher, timedelta | None] = field(default_factory=dict)
    stages: set[int] = field(default_factory=set)

    def listen(self, run: Run) -> None:
        """Listen to a run that has not begun."""
        self.run = run
        run.notes = _Notes(self)

    def arrive(self, call: Call) -> None:
        """Note the line that calls, and what it chooses from."""
        if self.run.past:
            return
        self.line = self._line()
        if self.line is not None:
            self.lines.add(self.line)
        if isinstance(call, ChoiceCall):
            if call.stage is None:
                self.experiments[call.name.partition(":")[2]] = call.variants
            elif self.line is not None:
                self.choices.setdefault((call.stage, tuple(call.formats)), self.line)

    def answer(self, call: Call, entry: Entry) -> Any:
        """The entry, if it is what is called for."""
        return entry if self.run.fits(call, entry) and not isinstance(entry.fact, Released) else None

    def answered(self) -> None:
        """Nothing: the code is read as it is."""

    def moved_on(self) -> None:
        """Nothing: the code has every wait."""

    def beyond(self, call: Call) -> Any:  # noqa: ARG002 - the protocol's
        """Nothing: no step was moved."""
        return None

    def judge(self, question: str, so: bool) -> bool:
        """Note what is asked; the truth, unless this question's answer is turned round."""
        position = self.run.position
        name, _, rest = question.partition(" ")
        if question.startswith(_BY_ITSELF):
            self.asked.append((position, question))
            return so is not ((position, question) in self.turned)
        if name in {"score", "stage"}:
            self.scores.append((position, question))
        elif name != "has":
            self.traits.setdefault(name, {}).setdefault(rest)
        return so

    def note(self, note: Any) -> None:
        """Hear a note: `has` with its matcher, and a stage whose value the code has in hand."""
        match note:
            case ("stage", _):
                self.stages.add(self.run.position)
            case (Matcher() as matcher, within, found):
                longest = self.matchers.get(matcher, timedelta(0))
                self.matchers[matcher] = None if within is None or longest is None else max(within, longest)
                if not found:
                    self.had.append(Had(self.run.position, matcher, within))
            case _:
                pass

    def alike(self, value: int, since: int) -> set[int]:
        """The scores that give the same answers as `value` to all that was asked from the fact `since` on."""
        found = set(range(101))
        for question in {question for position, question in self.scores if position >= since}:
            holds = _scores_of(question)
            found &= holds if value in holds else found - holds
        if any(position >= since for position in self.stages):
            found = {each for each in found if stage_of(each) == stage_of(value)}
        return found

    def _line(self) -> Line | None:
        frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the call's own frame
        while frame is not None and frame.f_code.co_filename not in self.files:
            frame = frame.f_back
        return None if frame is None else Line(frame.f_code.co_filename, frame.f_lineno)


@lru_cache(maxsize=1024)
def _scores_of(question: str) -> frozenset[int]:
    """The scores of which a comparison holds."""
    return frozenset(score for score in range(101) if _holds(question, score))


def _holds(question: str, score: int) -> bool:
    """Whether a comparison of score or stage holds for a lead of this score."""
    name, op, other = question.split(" ", 2)
    if name == "stage":
        stage = stage_of(score)
        match op:
            case "==":
                return stage == other
            case "contains":
                return other in stage
            case "starts":
                return stage.startswith(other.removeprefix("with "))
            case "ends":
                return stage.endswith(other.removeprefix("with "))
            case _:
                return bool(stage)
    number = float(other)
    return _COMPARE[op](score, number)
