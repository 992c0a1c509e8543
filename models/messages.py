"""Messages between workflow, activities and whoever signals: pydantic models, one in and one out.

Fields are added with defaults, never removed or re-typed: histories of months hold them. None carries personal data.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from typing_extensions import TypeVar

from nurture.journey.decision import AlertStep, Decision, Do, Enrol, HandOff, Next, Park, Send
from nurture.journey.facts import Fact
from nurture.timing.clock import Clock

Step = Annotated[Send | HandOff | AlertStep | Enrol | Do, Field(discriminator="kind")]


Verb = Literal["pause", "resume", "refresh", "exit", "override", "release"]


class MessageModel(BaseModel):
    """Base of the messages: frozen; fields at their defaults may be missing from the JSON."""

    model_config = ConfigDict(frozen=True)


EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Bounds of a behaviour's moment: beyond them dates cannot be reckoned with."""


def _in_utc(at: datetime) -> datetime:
    """A moment that a person typed: in UTC if without a zone, and within bounds."""
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return min(max(at, EARLIEST), LATEST)


class Behaviour(MessageModel):
    """Signal `behaviour`: what a lead did, or sales did about it. `score` is the lead's score after it, if known.

    The subject is a reference if a stranger worded it; then `ends` says whether it ends the journey's track.
    """

    id: str
    name: str
    subject: str = ""
    at: Annotated[datetime, AfterValidator(_in_utc)]
    score: int | None = None
    ends: bool = False


class Behaviours(MessageModel):
    """Signal `behaviours`: several behaviours in order, in one signal."""

    items: tuple[Behaviour, ...]


class Control(MessageModel):
    """What the signals `pause`, `resume`, `refresh`, `exit` and the updates leave in the inbox.

    Only a release sets `step` and `end`.
    """

    verb: Verb
    id: str = ""
    reason: str = ""
    step: str = ""
    end: bool = False


class Request(MessageModel):
    """Argument of the signals `pause`, `resume`, `refresh`, `exit` and of the update `override`.

    An override may name the key of the `wait` that the person saw: it ends no other.
    """

    id: str = ""
    reason: str = ""
    wait: str = ""


class Release(MessageModel):
    """Argument of the update `release`: a held lead goes on just before the step of this name, or its journey ends."""

    id: str = ""
    reason: str = ""
    step: str = ""
    end: bool = False


class Journey(MessageModel):
    """A workflow's input: where the journey stands. A new one holds one fact, `Enrolled`.

    `saved` of `total` facts so far are in the database, with this `digest`; `facts` may be fewer than `total` once
    compacted. `now` is the journey's time when the previous run ended.
    """

    enrolment_id: str
    lead_id: str
    facts: tuple[Fact, ...]
    decided: int = 0
    total: int = 1
    saved: int = 0
    digest: str = ""
    inbox: tuple[Behaviour | Control, ...] = ()
    heard: tuple[str, ...] = ()
    clock: Clock = Field(default_factory=Clock.production)
    shown: dict[str, str | bool] = Field(default_factory=dict)
    now: datetime | None = None


class Advancing(MessageModel):
    """Input of `advance`: the journal, and what woke the journey: news in order, or the moment `due` of its timer.

    `saved` of the journal's `total` facts are in the database, with this `digest`; the rest is to be written. The first
    `compacted` of `facts` are what compaction kept. `now` is the journey's time so far, `woken_at` the workflow's
    clock, `long` whether its history is: what the answer says of both is recorded, and a replay goes by that.
    """

    enrolment_id: str
    lead_id: str
    track: str
    facts: tuple[Fact, ...]
    decided: int
    total: int
    saved: int
    digest: str = ""
    compacted: int = 0
    news: tuple[Behaviour | Control, ...] = ()
    due: datetime | None = None
    now: datetime
    woken_at: datetime
    rescore: bool = False
    long: bool = False


class Acted(MessageModel):
    """What a wake did at once: the facts that led to the step, why, and the fact that came of it."""

    facts: tuple[Fact, ...]
    step: Step
    because: tuple[str, ...]
    outcome: Fact


class Advanced(MessageModel):
    """Answer of `advance`: the facts to append (heard, of the act, derived after it), and what comes next.

    `then` is where the lead comes to rest once the step `next` has succeeded. `shown` are the search attributes of that
    rest, `expects` what the journey will do when the timer of `next` fires, in words. `exits` are the patterns of the
    behaviours that end the journey, and call off the step `next`.
    """

    now: datetime
    heard: tuple[Fact, ...] = ()
    acted: Acted | None = None
    facts: tuple[Fact, ...] = ()
    next: Next
    because: tuple[str, ...]
    then: Decision | None = None
    shown: dict[str, str | bool] = Field(default_factory=dict)
    expects: str = ""
    exits: tuple[str, ...] = ()
    digest: str = ""
    long: bool = False

    @property
    def all_facts(self) -> tuple[Fact, ...]:
        """All of them, in order."""
        acted = (*self.acted.facts, self.acted.outcome) if self.acted is not None else ()
        return (*self.heard, *acted, *self.facts)


class SweepTold(MessageModel):
    """Answer of `sweep`: how many leads came into segments and left them, and how many of those were enrolled."""

    came: int = 0
    left: int = 0
    enrolled: int = 0


class StepOrder(MessageModel):
    """Input of a step's activity. `seq` is the place of its fact in the journal, `then` where the lead rests next.

    `then_facts` are what is recorded with that rest.
    """

    enrolment_id: str
    lead_id: str
    track: str
    step: Step
    now: datetime
    seq: int
    then: Park | None = None
    then_facts: tuple[Fact, ...] = ()
    because: tuple[str, ...] = ()


class StepOutcome(MessageModel):
    """Answer of a step's activity. With `until`, the step was put off and is still to do."""

    at: datetime
    result: str = "done"
    reason: str = ""
    value: Any = None
    until: datetime | None = None


Arg = TypeVar("Arg", default=Any)


class DoOrder(MessageModel, Generic[Arg]):
    """Input of an engineer's own activity, run by `lead.do(activity, arg)`; of `DoOrder[X]` the argument is an X.

    `key` is the same on every retry.
    """

    lead_id: str
    enrolment_id: str
    key: str
    arg: Arg = None  # type: ignore[assignment]


class JournalView(MessageModel):
    """Answer of the query `journal`."""

    enrolment_id: str
    lead_id: str
    track: str
    facts: tuple[Fact, ...]
    decided: int
    total: int
    now: datetime
    next: Next | None = None
    because: tuple[str, ...] = ()
