"""Why a step was done, or the lead stands where it stands: the decision, and the whole chain that led to it.

The chain goes from how the lead came to us over its consent at that moment, its way to the track and what it waited for
to what the gate said each time that it put the send off.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment, FactRow
from models.leads import Consent, LeadRow
from nurture.journey.facts import (
    AnyFact,
    Behaved,
    Belongs,
    Deferred,
    Done,
    Explained,
    Renamed,
    Scored,
    Waited,
    Waiting,
)
from nurture.journey.keys import WAIT, Key
from nurture.journey.matchers import say_pattern
from nurture.journey.wording import say_fact, say_key, say_span, say_waited
from perennial.journeys.story import decisions_of, journal_of, journey_line, reading_of
from perennial.leads.consent import DECIDES

Wanted = Callable[[Enrolment, str, datetime], bool]
"""Whether a step is asked about: by its enrolment, its key and when it was done. An exit or a pause has no key."""

_TOLD_OTHERWISE = Behaved | Belongs | Scored | Explained | Renamed
"""Facts without a key that decide nothing of their own."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a chain: what was so, and since when."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class StepDecision:
    """A decision about a step: what became of the step, when and why, and how an edit had been read by then."""

    track: str
    step: str
    what: str
    at: datetime
    because: tuple[str, ...]
    until: datetime | None = None
    edited: tuple[str, ...] = ()
    chain: tuple[Link, ...] = ()


async def decisions_about(
    session: AsyncSession, lead: LeadRow, enrolments: Sequence[Enrolment], wanted: Wanted
) -> list[StepDecision]:
    """The decisions that led to the steps that are wanted, in the order of their journeys."""
    found: list[StepDecision] = []
    consents = await _consents_of(session, lead.id)
    for enrolment in enrolments:
        decisions = await decisions_of(session, enrolment.id)
        facts = await journal_of(session, enrolment.id)
        edited: tuple[str, ...] = ()
        for seq, fact in enumerate(facts):
            if isinstance(fact, Explained):
                edited = fact.said
            key = getattr(fact, "key", "")
            if isinstance(fact, _TOLD_OTHERWISE) or _is_settled_later(fact, facts[seq + 1 :]):
                continue
            if not wanted(enrolment, key, fact.at):
                continue
            taken = next((each for each in reversed(decisions) if each.seq <= seq), None)
            because = tuple(map(str, taken.because)) if taken else ()
            chain = _chain(lead, enrolment, consents, facts[: seq + 1], key, fact.at)
            step = say_key(key) if key else ""
            found.append(
                StepDecision(enrolment.track, step, say_fact(fact), fact.at, because, edited=edited, chain=chain)
            )
    return found


async def present_decision(session: AsyncSession, lead: LeadRow, enrolment: Enrolment, now: datetime) -> StepDecision:
    """The present decision of a journey, from its head."""
    line = journey_line(enrolment, now, await reading_of(session, enrolment.id))
    what = (line.outcome if enrolment.status == "finished" else line.step) or line.status
    at = enrolment.ended_at or enrolment.started_at
    facts, consents = await journal_of(session, enrolment.id), await _consents_of(session, lead.id)
    chain = _chain(lead, enrolment, consents, facts, enrolment.step, enrolment.ended_at or now)
    return StepDecision(enrolment.track, line.step, what, at, line.because, line.until, line.edited, chain)


async def decision_on_day(
    session: AsyncSession, lead: LeadRow, enrolment: Enrolment, end: datetime
) -> StepDecision | None:
    """The decision that held at the end of a day on which nothing was done; None if the lead was not on the track."""
    held = [each for each in await decisions_of(session, enrolment.id) if each.at < end]
    if not held or (enrolment.ended_at is not None and enrolment.ended_at < end):
        return None
    last = held[-1]
    facts = [fact for fact in await journal_of(session, enrolment.id) if fact.at < end]
    chain = _chain(lead, enrolment, await _consents_of(session, lead.id), facts, "", end)
    return StepDecision(enrolment.track, "", last.next, last.at, tuple(map(str, last.because)), last.until, (), chain)


async def steps_of(session: AsyncSession, enrolments: Sequence[Enrolment]) -> list[str]:
    """The keys of every step the lead has come to."""
    wanted = select(FactRow.key).where(
        FactRow.enrolment_id.in_([enrolment.id for enrolment in enrolments]), FactRow.key != ""
    )
    return sorted(set(await session.scalars(wanted)))


def names_of(key: str) -> set[str]:
    """What people call a step: `send:welcome`, `welcome`, `send welcome`."""
    parsed = Key.parse(key)
    counted = parsed.subject if parsed.count == 1 else f"{parsed.subject}~{parsed.count}"
    return {key, str(replace(parsed, scope="")), WAIT if parsed.is_wait else counted, say_key(key)}


async def _consents_of(session: AsyncSession, lead_id: str) -> Sequence[Consent]:
    decides = select(Consent).where(Consent.lead_id == lead_id, Consent.action.in_(DECIDES))
    return (await session.scalars(decides.order_by(Consent.id))).all()


def _is_settled_later(fact: AnyFact, later: Sequence[AnyFact]) -> bool:
    """Whether what became of the step is told by a later fact: a deferral by the send, a wait by its end."""
    key = getattr(fact, "key", "")
    return isinstance(fact, Deferred | Waiting) and any(getattr(each, "key", "") == key for each in later)


def _chain(  # noqa: PLR0917 - what it is made of, each once
    lead: LeadRow,
    enrolment: Enrolment,
    consents: Sequence[Consent],
    facts: Sequence[AnyFact],
    key: str,
    at: datetime,
) -> tuple[Link, ...]:
    """From how the lead came to us to what became of the step `key`, the last of `facts`."""
    source = lead.traits.get("source")
    links = [Link(lead.created_at, f"became a lead{f', from {source}' if source else ''}")]
    links.append(
        Link(enrolment.started_at, f"came to {enrolment.track}: {enrolment.cause or 'the cause was not kept'}")
    )
    given = next((each for each in reversed(consents) if each.at <= at), None)
    if given is None:
        links.append(Link(at, "no consent was recorded by then"))
    else:
        wording = f", wording {given.wording}" if given.wording else ""
        links.append(Link(given.at, f"consent {given.action}: basis {given.basis}, from {given.source}{wording}"))
    links += _waits(facts, key)
    links += [
        Link(fact.at, f"the gate put it off until {fact.until:%Y-%m-%d %H:%M} UTC: {fact.reason}")
        for fact in facts
        if isinstance(fact, Deferred) and fact.key == key
    ]
    if facts and getattr(facts[-1], "key", "") == key and not isinstance(facts[-1], Deferred | Waiting):
        links.append(Link(facts[-1].at, say_fact(facts[-1])))
    return tuple(sorted(links, key=lambda each: each.at))


def _waits(facts: Sequence[AnyFact], key: str) -> list[Link]:
    """What the lead waited for since the step before this one."""
    links: list[Link] = []
    for number in reversed(range(len(facts))):
        fact = facts[number]
        if isinstance(fact, Done) and fact.key != key:
            break
        if isinstance(fact, Waiting):
            links.append(Link(fact.at, _say_waiting(fact)))
        if isinstance(fact, Waited) and fact.key != key:
            links.append(Link(fact.at, f"the wait ended: {say_waited(fact)}"))
    return links[::-1]


def _say_waiting(fact: Waiting) -> str:
    ends = [say_pattern(each) for each in fact.until]
    return f"a wait began: {say_span(fact.length)}" + (f", or until it {' or '.join(ends)}" if ends else "")
