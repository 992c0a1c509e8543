"""The facts a journal is made of. Frozen values: ids, keys, times, numbers, slugs.

In Temporal they hold no personal data: references stand there for what strangers wrote (`nurture.journey.refs`).

Facts come from three places: the world (`Enrolled`, `Behaved`, `Scored`, `Belongs`, `Done`, `Deferred`), a person at
the controls (`Paused`, `Resumed`, `Overridden`, `Released`, `Exited`), and `plan`, which records what it derived
(`Waiting`, `Waited`, `Chosen`, `Graduated`, `Exited`, `Finished`) so that the past never changes. `Renamed`,
`Explained` and `Held` say how `plan` read an edited track.

What a later change of a fact's shape must keep is in docs/decisions/0009.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The lead entered the track. `seen` are the pieces that other tracks already sent to it."""

    at: datetime
    lead: str
    cause: str = ""
    score: int = 0
    stage: str = "awareness"
    traits: Mapping[str, str] = field(default_factory=dict)
    seen: tuple[str, ...] = ()
    kind: Literal["enrolled"] = "enrolled"


@dataclass(frozen=True, slots=True)
class Behaved:
    """The lead, or sales about it, did something; `times` alike behaviours from `at` to `last`, once compacted."""

    at: datetime
    id: str
    name: str
    subject: str = ""
    times: int = 1
    last: datetime | None = None
    kind: Literal["behaved"] = "behaved"


@dataclass(frozen=True, slots=True)
class Scored:
    """The lead's score changed."""

    at: datetime
    score: int
    stage: str
    kind: Literal["scored"] = "scored"


@dataclass(frozen=True, slots=True)
class Belongs:
    """Which of the segments that the track asks for the lead is in from here on, by name, and which it is not in."""

    at: datetime
    to: tuple[str, ...] = ()
    not_to: tuple[str, ...] = ()
    kind: Literal["belongs"] = "belongs"


@dataclass(frozen=True, slots=True)
class Done:
    """A step was carried out (`sent`, `done`) or settled for good without effect (`refused`, with the reason).

    Truthy if it had its effect. `value` is what an engineer's own activity returned.
    """

    at: datetime
    key: str
    result: str
    reason: str = ""
    value: Any = None
    kind: Literal["done"] = "done"

    def __bool__(self) -> bool:
        return self.result != "refused"


@dataclass(frozen=True, slots=True)
class Deferred:
    """The gate put a send off until a moment, for a reason; the step is still to do."""

    at: datetime
    key: str
    until: datetime
    reason: str
    kind: Literal["deferred"] = "deferred"


Span = float | str | None
"""How long a wait is, as the code says it: seconds, `cadence`, a moment (`to 2026-03-02T09:00:00+00:00`), no limit."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The lead stands in a wait: how long it is, the patterns that end it sooner, and when it is over (UTC).

    `deadline` counts the pauses up to `at`; a later pause moves it. A wait that was edited is recorded again.
    `then` is what the code came to next, should nothing end the wait sooner: evidence of which wait it is, once the
    code is edited ("" if nothing is known).
    """

    at: datetime
    key: str
    length: Span = None
    until: tuple[str, ...] = ()
    deadline: datetime | None = None
    then: str = ""
    kind: Literal["waiting"] = "waiting"


@dataclass(frozen=True, slots=True)
class Waited:
    """A wait ended: by `time`, by the `behaviour` named here, or by a person's `override`. Truthy for a behaviour.

    `length` and `until` are what the wait was.
    """

    at: datetime
    key: str
    by: Literal["time", "behaviour", "override"]
    name: str = ""
    subject: str = ""
    length: Span = None
    until: tuple[str, ...] = ()
    kind: Literal["waited"] = "waited"

    def __bool__(self) -> bool:
        return self.by == "behaviour"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A choice was made: a piece, a variant, or nothing left to choose (None)."""

    at: datetime
    key: str
    choice: str | None
    kind: Literal["chosen"] = "chosen"


@dataclass(frozen=True, slots=True)
class Paused:
    """Time stands still for this journey. `id` is the request's, so that a repeated one is known."""

    at: datetime
    id: str = ""
    reason: str = ""
    kind: Literal["paused"] = "paused"


@dataclass(frozen=True, slots=True)
class Resumed:
    """Time goes on."""

    at: datetime
    id: str = ""
    kind: Literal["resumed"] = "resumed"


@dataclass(frozen=True, slots=True)
class Overridden:
    """A person ended the present wait, or the putting-off of a send."""

    at: datetime
    id: str = ""
    reason: str = ""
    kind: Literal["overridden"] = "overridden"


@dataclass(frozen=True, slots=True)
class Renamed:
    """A step recorded under the name `was` (`send:old`) is called `now` in the code, which said so with `was=`."""

    at: datetime
    was: str
    now: str
    kind: Literal["renamed"] = "renamed"


@dataclass(frozen=True, slots=True)
class TapeChoice:
    """What a reading makes of one place of the code: its number in the run, what the code calls there, the answer.

    `drops` names the entries of the journal that are dropped there; one that may be gone by now begins with `?`.
    """

    point: int
    call: str
    answer: str
    drops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explained:
    """How an edited track was read over this journal: the choices, what they cost, and the same in words.

    A hint, not a fact: it saves the search while the code (its fingerprint) is the same, and is searched again once it
    is not. An empty tape says that the code and the journal agree again.
    """

    at: datetime
    cost: float = 0.0
    said: tuple[str, ...] = ()
    tape: tuple[TapeChoice, ...] = ()
    code: str = ""
    kind: Literal["explained"] = "explained"


@dataclass(frozen=True, slots=True)
class Held:
    """No reading of this code (its fingerprint) explains the journal: the lead is parked, and nothing is sent."""

    at: datetime
    because: tuple[str, ...] = ()
    code: str = ""
    kind: Literal["held"] = "held"


@dataclass(frozen=True, slots=True)
class Released:
    """A person placed a held lead: just before the step of this name (`send:c`), or at the track's `end`."""

    at: datetime
    step: str = ""
    end: bool = False
    id: str = ""
    reason: str = ""
    kind: Literal["released"] = "released"


@dataclass(frozen=True, slots=True)
class Graduated:
    """The score reached the track's threshold; the graduation runs in place of whatever the lead waited for."""

    at: datetime
    score: int
    kind: Literal["graduated"] = "graduated"


@dataclass(frozen=True, slots=True)
class Exited:
    """An exit rule, or a person, ended the journey. Nothing is ever sent after it."""

    at: datetime
    reason: str
    id: str = ""
    kind: Literal["exited"] = "exited"


@dataclass(frozen=True, slots=True)
class Finished:
    """The track, or its graduation, came to its end."""

    at: datetime
    outcome: str
    kind: Literal["finished"] = "finished"


AnyFact = (
    Enrolled
    | Behaved
    | Scored
    | Belongs
    | Done
    | Deferred
    | Waiting
    | Waited
    | Chosen
    | Renamed
    | Explained
    | Held
    | Released
    | Paused
    | Resumed
    | Overridden
    | Graduated
    | Exited
    | Finished
)
Fact = Annotated[AnyFact, Field(discriminator="kind")]
