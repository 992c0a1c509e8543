"""Tell a life as a story: `enrolled; got welcome; did nothing for 7 days; ...`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from nurture.journey.facts import AnyFact, Behaved, Chosen, Done, Enrolled, Exited, Finished, Graduated, Scored, Waited
from nurture.journey.journal import Journal
from nurture.journey.keys import Key
from nurture.journey.matchers import say_behaviour
from nurture.journey.wording import say_done, say_fact

LONGEST = 12
"""A longer story tells its beginning and its end."""


def tell_life(journal: Journal) -> str:
    """What happened to a lead, in plain English, in one line."""
    said = list(_told(journal))
    if len(said) > LONGEST:
        left_out = len(said) - LONGEST
        said = [*said[:4], f"... ({left_out} more) ...", *said[4 + left_out :]]
    return "; ".join(said)


def say_span(span: timedelta) -> str:
    """A length of time in words, by its largest fitting unit."""
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if span >= length and span % length == timedelta(0):
            number = span // length
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return f"{span / timedelta(days=1):.1f} days" if span >= timedelta(days=1) else "a moment"


def _told(journal: Journal) -> Iterator[str]:
    moved: datetime = journal.enrolled.at
    ended = {(fact.at, fact.name, fact.subject) for fact in journal if isinstance(fact, Waited)}
    for fact in _in_telling_order(journal):
        if isinstance(fact, Behaved) and (fact.at, fact.name, fact.subject) in ended:
            continue  # the end of the wait says it
        said = _say(fact, fact.at - moved)
        if said:
            yield said
        if isinstance(fact, Done | Waited | Graduated):
            moved = fact.at


def _in_telling_order(journal: Journal) -> Iterator[AnyFact]:
    """The facts, with a score that came at the end of a wait behind that end."""
    held: Scored | None = None
    for fact in journal:
        if isinstance(fact, Scored):
            held = fact
            continue
        if held is not None and not isinstance(fact, Waited):
            yield held
            held = None
        yield fact
        if held is not None:
            yield held
            held = None
    if held is not None:
        yield held


def _say(fact: AnyFact, passed: timedelta) -> str:  # noqa: C901, PLR0911, PLR0912 - one case a kind of fact
    match fact:
        case Enrolled(traits=traits, score=score):
            known = [f"{name} is {value}" for name, value in traits.items()]
            return "enrolled" + (f" ({', '.join([*known, f'score {score}'])})" if known or score else "")
        case Done(key=key, result="sent"):
            return f"got {Key.parse(key).subject}"
        case Done(key=key, result="refused") if Key.parse(key).verb == "send":
            return f"was refused {Key.parse(key).subject}"
        case Done():
            return say_done(fact)
        case Waited(by="time", name=name, subject=subject) if name:
            what = say_behaviour(name, "" if subject == "*" else subject)
            return f"never {what} for {say_span(passed)}"
        case Waited(by="time"):
            return f"{say_span(passed)} passed"
        case Waited(by="behaviour", name=name, subject=subject):
            return say_behaviour(name, subject)
        case Behaved(name=name, subject=subject):
            return say_behaviour(name, subject)
        case Scored(score=score):
            return f"reached score {score}"
        case Chosen(choice=choice, key=key) if key.startswith("choose:"):
            return f"drew {choice} of {Key.parse(key).subject}"
        case Graduated():
            return "graduated"
        case Finished() | Exited():
            return say_fact(fact)
        case _:
            return ""
