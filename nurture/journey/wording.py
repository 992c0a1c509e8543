"""Facts, steps and reads in plain English, for a decision's `because`, the timeline and the Temporal UI."""

from datetime import timedelta
from typing import Any, assert_never

from nurture.journey.decision import AlertStep, AnyNext, Do, Enrol, Finish, HandOff, Park, Send
from nurture.journey.facts import (
    AnyFact,
    Behaved,
    Belongs,
    Chosen,
    Deferred,
    Done,
    Enrolled,
    Exited,
    Explained,
    Finished,
    Graduated,
    Held,
    Overridden,
    Paused,
    Released,
    Renamed,
    Resumed,
    Scored,
    Span,
    Waited,
    Waiting,
)
from nurture.journey.keys import START, Key
from nurture.journey.matchers import say_behaviour

SEGMENT = "in segment "
"""How it is said, noted and asked that the lead is in a segment."""


def say_reason(note: Any) -> str:
    """One entry of a `because`: a fact, or a note of what was read.

    Notes are `(name, value)`, `(name, value, op, other)` for a comparison, `(matcher, within, found)`, and
    `(in segment x, found)`.
    """
    if not isinstance(note, tuple):
        return say_fact(note)
    match note:
        case (name, timedelta(days=days)):
            return f"{name} = {days} days"
        case (name, bool() as found) if name.startswith(SEGMENT):
            return name if found else f"not {name}"
        case (name, value):
            return f"{name} = {value}"
        case (matcher, within, found):
            span = f" within {within.days} days" if within is not None else ""
            return f"{matcher}{span}" if found else f"not: {matcher}{span}"
        case (name, value, op, other):
            return f"{name} = {value} {op} {other}" if op != "==" else f"{name} = {value}"
        case _:
            raise ValueError(f"{note!r} is no note")


def say_fact(fact: AnyFact) -> str:  # noqa: C901, PLR0911, PLR0912 - one case a kind of fact
    """A fact in plain English, without its time."""
    match fact:
        case Done():
            return say_done(fact)
        case Waited():
            return say_waited(fact)
        case Enrolled():
            return f"enrolled ({fact.cause})" if fact.cause else "enrolled"
        case Behaved():
            times = f" {fact.times} times" if fact.times > 1 else ""
            return say_behaviour(fact.name, fact.subject) + times
        case Scored():
            return f"score is {fact.score}, stage {fact.stage}"
        case Belongs():
            return "; ".join([*map(say_within, fact.to), *(f"not {say_within(name)}" for name in fact.not_to)])
        case Deferred():
            return f"{say_key(fact.key)} put off until {fact.until:%Y-%m-%d %H:%M} UTC: {fact.reason}"
        case Chosen():
            return f"{say_key(fact.key)}: {fact.choice or 'nothing left'}"
        case Waiting():
            return f"{say_key(fact.key)} began"
        case Renamed():
            return f"{say_key(fact.was)} is called {say_key(fact.now)} now"
        case Explained():
            return "the track was edited: " + ("; ".join(fact.said) or "this lead notices nothing")
        case Held():
            return "held, for an edit left this lead without a place: " + "; ".join(fact.because)
        case Released():
            on = "the track is over" if fact.end else f"on with {say_key(fact.step)}"
            return f"a person ended the hold: {on}{_for(fact.reason)}"
        case Paused():
            return f"paused{_for(fact.reason)}"
        case Resumed():
            return "resumed"
        case Overridden():
            return f"a person ended the wait{_for(fact.reason)}"
        case Graduated():
            return f"score {fact.score} reached the track's threshold"
        case Exited():
            return f"left the track: {fact.reason}"
        case Finished():
            return f"finished: {fact.outcome}"
        case _:
            assert_never(fact)


def say_within(segment: str) -> str:
    """That the lead is in a segment."""
    return SEGMENT + segment


def _for(reason: str) -> str:
    """A reason that a person gave, in brackets."""
    return f" ({reason})" if reason else ""


def say_done(fact: Done) -> str:
    """What became of a step."""
    if fact.result == "refused":
        return f"{say_key(fact.key)} refused: {fact.reason}"
    key = Key.parse(fact.key)
    subject = key.subject
    match key.verb:
        case "send":
            return (
                f"{subject} was sent" if fact.result != "unknown" else f"{subject} may have been sent; it is not known"
            )
        case "hand_off":
            return f"offered to {subject}"
        case "alert":
            return f"alerted: {subject}"
        case "enrol":
            return f"enrolled on {subject}"
        case _:
            return f"did {subject}"


def say_waited(fact: Waited) -> str:
    """How a wait ended."""
    match fact.by:
        case "behaviour":
            return say_behaviour(fact.name, fact.subject)
        case "override":
            return "a person ended the wait"
        case "time":
            if fact.name:
                subject = "" if fact.subject == "*" else fact.subject
                return f"time ran out; the lead never {say_behaviour(fact.name, subject)}"
            return "time ran out"
        case _:
            assert_never(fact.by)


def say_key(key: str) -> str:
    """A step's key in words: `send:tip~2/wait` is "wait after send tip (2)"."""
    parsed = Key.parse(key)
    if parsed.is_wait:
        return "wait after enrolment" if parsed.anchor == START else f"wait after {say_key(parsed.anchor)}"
    said = f"{parsed.verb.replace('_', ' ')} {parsed.subject}".strip()
    return f"{said} ({parsed.count})" if parsed.count > 1 else said


def say_next(following: AnyNext) -> str:  # noqa: PLR0911 - one case a kind of step
    """What comes next, in a few words."""
    match following:
        case Send():
            return f"send {following.piece}"
        case HandOff():
            return f"offer to {following.to}"
        case AlertStep():
            return f"alert: {following.text}"
        case Enrol():
            return f"enrol on {following.track}"
        case Do():
            return f"do {following.activity}"
        case Park():
            return say_park(following)
        case Finish():
            return f"finish: {following.outcome}"
        case _:
            assert_never(following)


def say_park(park: Park) -> str:
    """Where and until when a lead waits."""
    match park.why:
        case "paused":
            return "paused"
        case "deferred":
            return f"{say_key(park.key)}, put off"
        case "held":
            return "held: an edit left this lead without a place"
        case "stuck":
            return "stuck: the track's code is gone or raises"
        case "wait":
            return say_key(park.key)
        case _:
            assert_never(park.why)


def say_span(span: Span) -> str:
    """How long a wait is: `7 days`, `cadence`, `to 2026-03-02 09:00 UTC`, `any time`."""
    match span:
        case None:
            return "any time"
        case str():
            return span
        case _:
            hours = span / 3600
            return f"{hours / 24:g} days" if hours >= 48 or hours % 24 == 0 else f"{hours:g} hours"
