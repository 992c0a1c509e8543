"""What woke a journey, as facts: its time is then."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from models.messages import Advancing, Behaviour, Control
from nurture.journey.facts import AnyFact, Behaved, Exited, Overridden, Paused, Released, Resumed
from nurture.timing.clock import Clock


@dataclass(frozen=True, slots=True)
class Heard:
    """The journey's time, and the facts that came with the wake.

    `unheard` came earlier, and ended nothing then: no exit rule that was made since ends the journey for them.
    """

    now: datetime
    facts: tuple[AnyFact, ...]
    unheard: tuple[AnyFact, ...] = ()


def hear(asked: Advancing, clock: Clock, known: Collection[str], *, held: bool) -> Heard:
    """The wake's news but for the `known` ids, in order; the journey's time never goes back.

    A timer and a behaviour that are hardly late count as on time. Only a `held` lead can be released.
    """
    now, facts = asked.now, list[AnyFact]()
    if asked.due is not None:
        now = max(now, clock.on_time(asked.due, asked.woken_at))
    for message in asked.news:
        if message.id in known:
            continue
        if isinstance(message, Behaviour):
            at = min(message.at, max(now, clock.virtual_at(asked.woken_at)))  # nothing happens ahead of its time
            now = max(now, clock.on_time(at, asked.woken_at))
            facts.append(Behaved(at, message.id, message.name, message.subject))
            continue
        now = max(now, clock.virtual_at(asked.woken_at))
        fact = _controlled(message, now, held=held)
        if fact is not None:
            facts.append(fact)
    return Heard(now, tuple(facts))


def _controlled(control: Control, now: datetime, *, held: bool) -> AnyFact | None:
    """What a person's word is in the journal; None for what only asks to look again."""
    match control.verb:
        case "pause":
            return Paused(now, control.id, control.reason)
        case "resume":
            return Resumed(now, control.id)
        case "exit":
            return Exited(now, control.reason or "a person ended it", control.id)
        case "override":
            return Overridden(now, control.id, control.reason)
        case "release":
            return Released(now, control.step, control.end, control.id, control.reason) if held else None
        case "refresh":
            return None
        case _:
            assert_never(control.verb)
