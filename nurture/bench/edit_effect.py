"""What today's code would do with a lead in flight: the journal says where it stands, `plan` what comes now.

Nothing is sent and nothing recorded. A lead whose moment has come anyway is looked at as of its last fact, so that only
what the code changes is an effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from nurture.content.catalogue import Catalogue
from nurture.errors import PerennialError
from nurture.journey.decision import Decision, Finish, Park, Send
from nurture.journey.facts import Deferred, Done, Waiting
from nurture.journey.journal import Journal
from nurture.journey.names import Names
from nurture.journey.plan import plan
from nurture.journey.track import Track
from nurture.journey.wording import say_key, say_next

Effect = Literal[
    "as before", "after its wait", "wait moves", "mailed now", "step now", "ends", "again", "held", "stuck"
]

EFFECTS: dict[Effect, str] = {
    "as before": "as before",
    "after its wait": "something else after its wait",
    "wait moves": "another wait, or to another time",
    "mailed now": "mailed now",
    "step now": "another step now",
    "ends": "at the end now",
    "again": "mailed a piece that it has had",
    "held": "held: no reading of the code explains it",
    "stuck": "stuck: the code fails",
}
"""Each effect in words, the harmless ones first."""

WRONG: tuple[Effect, ...] = ("again", "held", "stuck")
"""What no deployment should do."""

_SAME = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Planned:
    """What the code does with one lead: the effect, where it stood and what comes, in words; how an edit was read."""

    effect: Effect
    stood: str
    next: str
    until: datetime | None = None
    because: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


def effect_on(track: Track, journal: Journal, now: datetime, catalogue: Catalogue) -> Planned | None:
    """What the code does with a lead that rests at `now` (aware, UTC); None if a step is under way, or it is over."""
    stands = journal.stands
    if stands is None or journal.end is not None or journal.paused:
        return None
    fact: Waiting | Deferred = stands.fact
    until = _until(fact, stands.index, journal, now)
    stood = _stood(fact, until)
    moment = journal.last_at if until is not None and until <= now else now
    looked_at = Journal(journal.facts, len(journal))
    try:
        decision = plan(track, looked_at, moment, catalogue)
    except PerennialError as error:
        return Planned("stuck", stood, str(error))
    effect = _effect(decision, fact, until, looked_at, catalogue)
    read = decision.reading.said if decision.reading is not None else ()
    following = decision.next
    if effect == "as before" and not read and isinstance(fact, Waiting) and fact.then:
        then = _follows(track, looked_at, moment, catalogue)
        if then not in {"", fact.then}:
            return Planned("after its wait", stood, f"then {_say(then)}, where it was {_say(fact.then)}", until)
    ends = following.until if isinstance(following, Park) else None
    because = decision.because if effect == "held" else decision.because[-1:]
    return Planned(effect, stood, say_next(following), ends, because, read)


def _effect(
    decision: Decision, fact: Waiting | Deferred, until: datetime | None, journal: Journal, catalogue: Catalogue
) -> Effect:
    match decision.next:
        case Park(why="held"):
            return "held"
        case Park(key=key, until=now_until):
            return "as before" if key == fact.key and _same(until, now_until) else "wait moves"
        case Finish():
            return "ends"
        case Send() as send:
            if isinstance(fact, Deferred) and send.key == fact.key:
                return "as before"
            return "again" if _has_had(send, journal, catalogue) else "mailed now"
        case _:
            return "step now"


def _has_had(send: Send, journal: Journal, catalogue: Catalogue) -> bool:
    names = Names(journal.renames, catalogue.renames)
    sent = (entry.bare for entry in journal.entries if isinstance(entry.fact, Done) and entry.fact)
    return any(names.same(name, f"send:{send.piece}") for name in sent)


def _until(fact: Waiting | Deferred, index: int, journal: Journal, now: datetime) -> datetime | None:
    if isinstance(fact, Deferred):
        return fact.until
    if fact.deadline is None or not journal.pauses:
        return fact.deadline
    return fact.deadline + journal.stood_still(index, now)


def _follows(track: Track, journal: Journal, moment: datetime, catalogue: Catalogue) -> str:
    """What the code comes to after the open wait, as if the lead came to stand in it now."""
    stands = journal.stands
    assert stands is not None
    facts = [fact for index, fact in enumerate(journal.facts) if index != stands.index]
    try:
        decision = plan(track, Journal(facts, len(facts)), moment, catalogue)
    except PerennialError:
        return ""
    found = [fact for fact in decision.facts if isinstance(fact, Waiting) and fact.key == stands.fact.key]
    return found[0].then if found else ""


def _same(one: datetime | None, other: datetime | None) -> bool:
    return one is other or (one is not None and other is not None and abs(one - other) <= _SAME)


def _stood(fact: Waiting | Deferred, until: datetime | None) -> str:
    ends = f" until {until:%Y-%m-%d %H:%M}" if until is not None else ""
    return f"{say_key(fact.key)}{', put off' if isinstance(fact, Deferred) else ''}{ends}"


def _say(signature: str) -> str:
    name, _, rest = signature.partition(" ")
    if name.endswith("wait"):
        return "another wait"
    return f"the end ({rest})" if name.endswith("end") else f"`{name.partition(':')[2] or name}`"
