"""How the open step is settled: whether a wait is over, a send still put off, and what is chosen. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Self

from nurture.content.catalogue import Catalogue
from nurture.errors import InputError
from nurture.journey.calls import ChoiceCall, WaitCall
from nurture.journey.facts import Chosen, Deferred, Waited
from nurture.journey.journal import TOLERANCE, Journal
from nurture.journey.keys import Key
from nurture.journey.names import Names
from nurture.journey.patterns import Pattern

TO = "to "
"""How the length of a wait to a moment begins."""


def deadline_of(wait: WaitCall, start: datetime, since: int, journal: Journal, now: datetime) -> datetime | None:
    """When a wait is over that counts from `start`, the fact at index `since`; pauses in between move it."""
    if wait.end is not None:
        return wait.end
    if wait.length is None:
        return None
    end = start + +wait.length
    if journal.pauses and since < len(journal):
        end += journal.stood_still(since, now)
    return end


def ended_wait(  # noqa: PLR0917 - all of them say what the wait is
    wait: WaitCall, key: str, since: int, deadline: datetime | None, journal: Journal, names: Names, now: datetime
) -> Waited | None:
    """How a wait ended that counts from the fact at index `since`; None if it has not."""
    until = wait.until
    if journal.overridden > since:
        return Waited(now, key, "override", "", "", wait.span, wait.patterns)
    if until is not None and journal.behaviours and journal.behaviours[-1] > since:
        for fact in journal.behaved_from(since + 1):
            in_time = fact.at >= journal.enrolled.at - TOLERANCE and (deadline is None or fact.at <= deadline)
            if in_time and names.hears(until, fact.name, fact.subject):
                return Waited(now, key, "behaviour", fact.name, fact.subject, wait.span, until.patterns)
    if deadline is not None and now >= deadline:
        missed = Pattern.parse(wait.patterns[0]) if wait.patterns else None
        name, glob = (missed.name, missed.glob) if missed is not None else ("", "")
        return Waited(now, key, "time", name, glob, wait.span, wait.patterns)
    return None


def put_off(key: str, journal: Journal, now: datetime) -> Deferred | None:
    """The fact that still puts a send off; None once its moment has come, or a person would not wait for it."""
    index = journal.deferred.get(key)
    if index is None or journal.overridden > index:
        return None
    fact = journal.facts[index]
    assert isinstance(fact, Deferred)
    return fact if now < fact.until else None


class AssignedLead(str):  # noqa: SLOT000 - a str takes no slots of its own
    """A lead's id, of a lead whose variants are assigned instead of drawn: in rehearsals. By experiment."""

    chooses: dict[str, str]

    def __new__(cls, id_: str, chooses: Mapping[str, str]) -> Self:
        """A lead with this id, and these variants."""
        made = super().__new__(cls, id_)
        made.chooses = dict(chooses)
        return made


def variant(key: str, lead: str, variants: tuple[str, ...]) -> str:
    """The variant of an experiment that falls to a lead, the same whenever it is asked."""
    if isinstance(lead, AssignedLead) and (chosen := lead.chooses.get(Key.parse(key).subject)) is not None:
        if chosen not in variants:
            raise InputError(f"{key} has no variant {chosen!r}; it has {', '.join(variants)}")
        return chosen
    digest = sha256(f"{key}/{lead}".encode()).digest()
    return variants[int.from_bytes(digest[:8], "big") % len(variants)]


def pieces_had(journal: Journal) -> set[str]:
    """The ids of the pieces that the lead has had, or that were chosen for it, here and on other tracks."""
    had = set(journal.enrolled.seen)
    for key, index in journal.steps.items():
        fact = journal.facts[index]
        if isinstance(fact, Chosen):
            had.add(fact.choice or "")
        elif key.startswith(("send:", "graduation", "catch-up/")):
            parsed = Key.parse(key)
            if parsed.verb == "send":
                had.add(parsed.subject)
    return had


def pick(
    choice: ChoiceCall, journal: Journal, chosen: Collection[Chosen], names: Names, catalogue: Catalogue
) -> str | None:
    """The next piece for a stage that the lead has not had, under any of its names; None if none is left."""
    had = {*pieces_had(journal), *(fact.choice for fact in chosen if fact.choice)}
    traits = journal.enrolled.traits
    return catalogue.pick(choice.stage or "", traits=traits, seen=names.all_pieces(had), formats=choice.formats)
