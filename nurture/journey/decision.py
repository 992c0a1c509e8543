"""What `plan` answers: the facts it derived, what comes next, and because of what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from nurture.journey.facts import Explained, Fact


@dataclass(frozen=True, slots=True)
class Send:
    """Send a content piece."""

    key: str
    piece: str
    variant: int = 0
    kind: Literal["send"] = "send"
    expected = "sent"


@dataclass(frozen=True, slots=True)
class HandOff:
    """Offer the lead to a team; the answer comes back as a behaviour."""

    key: str
    to: str
    reason: str
    kind: Literal["hand_off"] = "hand_off"
    expected = "done"


@dataclass(frozen=True, slots=True)
class AlertStep:
    """Tell a person something."""

    key: str
    text: str
    kind: Literal["alert"] = "alert"
    expected = "done"


@dataclass(frozen=True, slots=True)
class Enrol:
    """Enrol the lead on another track."""

    key: str
    track: str
    kind: Literal["enrol"] = "enrol"
    expected = "done"


@dataclass(frozen=True, slots=True)
class Do:
    """Run an engineer's own activity with the lead's id and `arg`.

    A try may take `within` seconds, and be silent for `heartbeat` seconds; after `tries` of them it is given up.
    """

    key: str
    activity: str
    arg: Any = None
    within: float | None = None
    heartbeat: float | None = None
    tries: int | None = None
    kind: Literal["do"] = "do"
    expected = "done"


AnyStep = Send | HandOff | AlertStep | Enrol | Do


ParkReason = Literal["wait", "deferred", "paused", "held", "stuck"]


@dataclass(frozen=True, slots=True)
class Park:
    """Wait: until a moment (None: without limit), or for one of `listens` (`behaviour:subject-glob`).

    `why` tells a wait of the track (`wait`) from a send the gate put off (`deferred`), from a pause (`paused`), and
    from a lead whose place an edit took away (`held`: nothing is sent, exits are heard, a person or an edit releases),
    and from code that is gone or raises (`stuck`: exits are heard, and the code is tried again at `until`).
    `wakes_at_score` is the score that graduates the lead, while one would.
    """

    key: str
    until: datetime | None
    listens: tuple[str, ...] = ()
    wakes_at_score: int | None = None
    why: ParkReason = "wait"
    kind: Literal["park"] = "park"


@dataclass(frozen=True, slots=True)
class Finish:
    """The journey is over, with this outcome."""

    outcome: str
    kind: Literal["finish"] = "finish"


AnyNext = AnyStep | Park | Finish
Next = Annotated[AnyNext, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Decision:
    """The facts to append, what comes next, because of what; looked ahead, also what follows when `next` succeeds.

    `reading` is how an edited track was read, if it was: its cost and, in words, each difference. It is among `facts`
    when it is a new one. For a held lead, `because` says what could not be explained.
    """

    facts: tuple[Fact, ...]
    next: Next
    because: tuple[str, ...]
    then: "Decision | None" = None
    reading: Explained | None = None
