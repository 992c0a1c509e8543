"""What a track promises of every path, as code: `never(sends("pricing-guide"), while_=stage("awareness"))`.

    always(waits(days=2), between=sends())
    sometimes(hands_off())

`check` holds a track to what it promises, on every path, and tells the shortest that breaks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase

from nurture.journey.facts import AnyFact, Done, Enrolled, Scored
from nurture.journey.keys import Key


@dataclass(frozen=True, slots=True)
class Step:
    """Steps of a kind (`send`, `hand_off`, `alert`, `enrol`, `do`) whose subject matches a glob."""

    verb: str
    subject: str = "*"

    def took(self, fact: AnyFact) -> bool:
        """Whether a fact says that such a step had its effect."""
        if not isinstance(fact, Done) or not fact:
            return False
        key = Key.parse(fact.key).step
        return key.verb == self.verb and fnmatchcase(key.subject, self.subject)

    def __str__(self) -> str:
        said = {
            "send": "a send",
            "hand_off": "a hand-off",
            "alert": "an alert",
            "enrol": "an enrolment",
            "do": "a call",
        }
        return said[self.verb] + ("" if self.subject == "*" else f" of {self.subject}")


@dataclass(frozen=True, slots=True)
class Stage:
    """The stage that a lead is in."""

    name: str

    def __str__(self) -> str:
        return f"the lead is at {self.name}"


@dataclass(frozen=True, slots=True)
class Rest:
    """A time that passes at least."""

    length: timedelta

    def __str__(self) -> str:
        return f"{self.length / timedelta(days=1):g} days"


@dataclass(frozen=True, slots=True)
class Promise:
    """What holds of every path (`never`, `always`), or of one at least (`sometimes`)."""

    kind: str
    step: Step
    while_: Stage | None = None
    rest: Rest | None = None

    def broken_by(self, facts: Sequence[AnyFact]) -> bool:
        """Whether a life breaks it with its last step; of `sometimes`: whether it keeps it."""
        found = [fact for fact in facts if self.step.took(fact)]
        if not found or not self.step.took(facts[-1]):
            return False
        if self.kind == "always" and self.rest is not None:
            return len(found) > 1 and found[-1].at - found[-2].at < self.rest.length
        return self.while_ is None or _stage(facts) == self.while_.name

    def __str__(self) -> str:
        match self.kind:
            case "always":
                return f"always {self.rest} between {self.step} and the next"
            case "sometimes":
                return f"sometimes {self.step}"
            case _:
                return f"never {self.step}" + (f" while {self.while_}" if self.while_ is not None else "")


def never(step: Step, *, while_: Stage | None = None) -> Promise:
    """On no path is the step taken; with `while_`, not while that is so."""
    return Promise("never", step, while_)


def always(rest: Rest, *, between: Step) -> Promise:
    """On every path at least this much time passes between one such step and the next."""
    return Promise("always", between, None, rest)


def sometimes(step: Step) -> Promise:
    """On one path at least the step is taken."""
    return Promise("sometimes", step)


def sends(piece: str = "*") -> Step:
    """A send of a piece (a glob; any by default)."""
    return Step("send", piece)


def hands_off(to: str = "*") -> Step:
    """An offer to a team."""
    return Step("hand_off", to)


def alerts(text: str = "*") -> Step:
    """An alert."""
    return Step("alert", text)


def enrols(track: str = "*") -> Step:
    """An enrolment on another track."""
    return Step("enrol", track)


def waits(*, days: float = 0, hours: float = 0) -> Rest:
    """A time that passes."""
    return Rest(timedelta(days=days, hours=hours))


def stage(name: str) -> Stage:
    """The lead's stage: `awareness`, `consideration` or `decision`."""
    return Stage(name)


def promise_faults(promises: object) -> Iterator[str]:
    """What is wrong with what `@track(promises=...)` was given."""
    if not isinstance(promises, tuple) or not all(isinstance(each, Promise) for each in promises):
        yield "promises is a tuple of promises; write promises=(never(sends(...)),) with a comma at its end"


def _stage(facts: Sequence[AnyFact]) -> str:
    return next(fact.stage for fact in reversed(facts) if isinstance(fact, Scored | Enrolled))
