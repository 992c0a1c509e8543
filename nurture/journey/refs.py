"""References: what Temporal is told in place of words that a stranger wrote. The words stay in the database.

A reference is made of where the words came from (a behaviour's id), never of the words: nobody finds them by guessing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from nurture.journey.decision import AnyNext, Decision, Finish, HandOff
from nurture.journey.facts import (
    AnyFact,
    Behaved,
    Deferred,
    Done,
    Exited,
    Explained,
    Finished,
    Held,
    Overridden,
    Paused,
    Released,
    Waited,
    Waiting,
)

REF = re.compile(r"ref:[0-9a-f]{16}")

Say = Callable[[str], str]
"""Says words otherwise: as references, or references as their words."""


def ref_of(source: str) -> str:
    """The reference to the words that came from there."""
    return f"ref:{blake2b(source.encode(), digest_size=8).hexdigest()}"


def is_ref(text: str) -> bool:
    """Whether this is a reference."""
    return REF.fullmatch(text) is not None


def is_strangers(name: str, subject: str) -> bool:
    """Whether a stranger worded a behaviour's subject: it is of ours only where it names a piece that we mailed."""
    return subject != "" and not name.startswith("email.")


_TEXT: Mapping[type[AnyFact], str] = {
    Behaved: "subject",
    Waited: "subject",
    Waiting: "then",
    Finished: "outcome",
    **dict.fromkeys((Done, Deferred, Exited, Paused, Overridden, Released), "reason"),
}
"""Which field of a fact is a text."""


def reworded(fact: AnyFact, say: Say) -> AnyFact:
    """The fact with each of its texts said otherwise."""
    match fact:
        case Held():
            return replace(fact, because=tuple(map(say, fact.because)))
        case Explained():
            tape = tuple(replace(one, call=say(one.call), answer=say(one.answer)) for one in fact.tape)
            return replace(fact, said=tuple(map(say, fact.said)), tape=tape)
    name = _TEXT.get(type(fact), "")
    text = getattr(fact, name) if name else ""
    if not text:
        return fact
    told: dict[str, Any] = {name: say(text)}
    return replace(fact, **told)


def reworded_next(following: AnyNext, say: Say) -> AnyNext:
    """What comes next, with its texts said otherwise; the text of an alert is the track's own, and its key."""
    match following:
        case Finish():
            return replace(following, outcome=say(following.outcome))
        case HandOff():
            return replace(following, reason=say(following.reason))
        case _:
            return following


def reworded_decision(decision: Decision, say: Say, say_next: Say) -> Decision:
    """The decision, and what is foreseen after it, said otherwise."""
    return replace(
        decision,
        facts=tuple(reworded(fact, say) for fact in decision.facts),
        next=reworded_next(decision.next, say_next),
        because=tuple(map(say, decision.because)),
        then=reworded_decision(decision.then, say, say_next) if decision.then is not None else None,
    )
