"""A lead's story, from the database alone: where it stands, what happened in order, and the ledger of its score."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import RUNNING, AskedRow, DecisionRow, Enrolment, FactRow, HandOffRow
from models.leads import BehaviourRow, Consent, LeadRow, ScoreEntry, Suppression
from models.touches import Message, Touch
from nurture.journey.facts import AnyFact, Behaved, Chosen, Deferred, Done, Enrolled, Explained, Scored, Waiting
from nurture.journey.keys import Key
from nurture.journey.matchers import say_behaviour
from nurture.journey.wording import say_fact, say_key
from nurture.people.scoring import Score, ScoringModel
from nurture.timing.clock import Clock
from perennial.journeys.read_model import FACT
from perennial.leads.behaviours import day_of
from perennial.leads.consent import current
from perennial.leads.preferences import preferences_of
from perennial.leads.scores import entries_of
from perennial.leads.suppression import suppressions

LATE = timedelta(hours=1)
"""A journey whose next step was due so long ago, in real time, is overdue: no worker runs, or not enough of them."""

REAL_TIME = Clock.production()


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened. `points`: what it added to the score then; `track`: empty for the lead itself.

    `until` is how long it was put off, `heard` when we heard of it, if that was late. `day` says that no more is known
    than the day, in the lead's own calendar.
    """

    at: datetime
    kind: str
    text: str
    track: str = ""
    points: int | None = None
    until: datetime | None = None
    heard: datetime | None = None
    day: date | None = None


@dataclass(frozen=True, slots=True)
class JourneyLine:
    """Where a lead stands, or how it ended, on one track; `step` is in words, `until` when a wait ends by time.

    `edited` says how an edit of the track behind the lead was read. For a held lead, `because` says what could not be
    explained. `stuck` is what the journey is stuck for since `stuck_since`; `overdue` says that its next step is late;
    `paused_for` is the reason of whoever paused it, `cause` why the lead came to the track.
    """

    enrolment_id: str
    track: str
    status: str
    step: str
    until: datetime | None
    because: tuple[str, ...]
    outcome: str | None
    started_at: datetime
    ended_at: datetime | None
    edited: tuple[str, ...] = ()
    stuck: str | None = None
    stuck_since: datetime | None = None
    overdue: bool = False
    paused_for: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Points:
    """One line of the score's ledger: its reason, and what it is worth now."""

    reason: str
    now: float
    at: datetime


@dataclass(frozen=True, slots=True)
class LeadStory:
    """Everything that support wants to know about a lead. `source` is where we first had a word on consent from."""

    lead: dict[str, Any]
    as_of: datetime
    consent: str
    suppressed: tuple[str, ...]
    standings: tuple[JourneyLine, ...]
    lines: tuple[Line, ...]
    score: Score
    ledger: tuple[Points, ...]
    break_until: datetime | None = None
    unwanted: tuple[str, ...] = ()
    source: str = ""


async def story_of(
    session: AsyncSession, lead: LeadRow, model: ScoringModel, now: datetime, clock: Clock = REAL_TIME
) -> LeadStory:
    """The story of a lead as of `now`, by this clock."""
    enrolments = await enrolments_of(session, lead.id)
    consent = await current(session, lead.id)
    entries = await entries_of(session, lead.id)
    placed: list[tuple[datetime, int, int, Line]] = []
    for rank, lines in enumerate(
        (await _own_lines(session, lead.id, clock), await _fact_lines(session, lead.id, enrolments))
    ):
        placed += [(line.at, rank, number, line) for number, line in enumerate(lines)]
    placed.sort(key=lambda each: each[:3])
    asked_for = await preferences_of(session, lead)
    hidden = {"email_key"}
    first = select(Consent.source).where(Consent.lead_id == lead.id).order_by(Consent.id).limit(1)
    return LeadStory(
        lead={
            column.key: getattr(lead, column.key) for column in LeadRow.__table__.columns if column.key not in hidden
        },
        as_of=now,
        consent=consent or "none",
        suppressed=await suppressions(session, lead.id),
        standings=tuple(
            [
                replace(
                    journey_line(enrolment, now, await reading_of(session, enrolment.id), clock),
                    paused_for=await _paused_for(session, enrolment),
                )
                for enrolment in enrolments
            ]
        ),
        lines=tuple(line for *_, line in placed),
        score=model.score(entries, now),
        ledger=tuple(Points(reason, points, at) for reason, points, at in model.explain(entries, now) if points),
        break_until=asked_for.break_until if asked_for.break_until and asked_for.break_until > now else None,
        unwanted=asked_for.unwanted,
        source=await session.scalar(first) or "",
    )


async def _paused_for(session: AsyncSession, enrolment: Enrolment) -> str:
    """Why a paused journey is paused, as it was typed."""
    if enrolment.status != "paused":
        return ""
    asked = select(AskedRow.reason).where(AskedRow.enrolment_id == enrolment.id, AskedRow.verb == "pause")
    if reason := await session.scalar(asked.order_by(AskedRow.at.desc()).limit(1)):
        return reason
    paused = select(FactRow.fact).where(FactRow.enrolment_id == enrolment.id, FactRow.kind == "paused")
    fact = await session.scalar(paused.order_by(FactRow.seq.desc()).limit(1))
    return str(fact.get("reason", "")) if fact else ""


async def enrolments_of(session: AsyncSession, lead_id: str) -> Sequence[Enrolment]:
    """The lead's enrolments, the running ones first, then the latest."""
    found = await session.scalars(
        select(Enrolment)
        .where(Enrolment.lead_id == lead_id)
        .order_by(Enrolment.status == "finished", Enrolment.started_at.desc(), Enrolment.id)
    )
    return found.all()


async def journal_of(session: AsyncSession, enrolment_id: str) -> list[AnyFact]:
    """Every fact of a journal, in order, nothing compacted."""
    rows = await session.scalars(select(FactRow.fact).where(FactRow.enrolment_id == enrolment_id).order_by(FactRow.seq))
    return [FACT.validate_python(row) for row in rows]


async def decisions_of(session: AsyncSession, enrolment_id: str) -> Sequence[DecisionRow]:
    """Every recorded decision of a journal, in order."""
    rows = await session.scalars(
        select(DecisionRow).where(DecisionRow.enrolment_id == enrolment_id).order_by(DecisionRow.seq)
    )
    return rows.all()


async def reading_of(session: AsyncSession, enrolment_id: str) -> tuple[str, ...]:
    """How the track was last read over a journal, each difference in words.

    Nothing if there is no difference, or if the lead was held or released since: that reading is over.
    """
    wanted = (
        select(FactRow.fact)
        .where(FactRow.enrolment_id == enrolment_id, FactRow.kind.in_(("explained", "held", "released")))
        .order_by(FactRow.seq.desc())
        .limit(1)
    )
    row = await session.scalar(wanted)
    fact = None if row is None else FACT.validate_python(row)
    return fact.said if isinstance(fact, Explained) else ()


def journey_line(enrolment: Enrolment, now: datetime, edited: tuple[str, ...], clock: Clock = REAL_TIME) -> JourneyLine:
    """Where the lead stands on a track as of `now`, from the head of its enrolment."""
    running = enrolment.status in RUNNING
    waits = Key.parse(enrolment.step).is_wait
    until = (
        enrolment.next_at if running and enrolment.next_at is not None and (waits or enrolment.next_at > now) else None
    )
    if not running:
        step = "finished" if enrolment.ended_at else "waiting for a worker"
    else:
        step = say_key(enrolment.step) + ("" if waits or until is None else ", put off")
    return JourneyLine(
        enrolment_id=enrolment.id,
        track=enrolment.track,
        status=enrolment.status,
        step=step,
        until=until,
        because=tuple(map(str, enrolment.because)),
        outcome=enrolment.outcome,
        started_at=enrolment.started_at,
        ended_at=enrolment.ended_at,
        cause=enrolment.cause,
        edited=edited,
        stuck=enrolment.stuck,
        stuck_since=enrolment.stuck_since,
        overdue=enrolment.status == "active"
        and enrolment.stuck_since is None
        and enrolment.next_at is not None
        and clock.real_duration(now - enrolment.next_at) > LATE,
    )


async def _own_lines(session: AsyncSession, lead_id: str, clock: Clock) -> list[Line]:
    """What is about the lead and not about one of its journeys."""
    consents = await session.scalars(select(Consent).where(Consent.lead_id == lead_id).order_by(Consent.id))
    lines = [
        Line(each.at, "consent", f"consent {each.action}: basis {each.basis}, from {each.source}") for each in consents
    ]
    gone = await session.scalars(select(Suppression).where(Suppression.lead_id == lead_id))
    lines += [Line(each.at, "suppression", f"never to be mailed again: {each.reason} ({each.source})") for each in gone]
    points: dict[str, float] = {}
    earned = select(ScoreEntry.behaviour_id, ScoreEntry.points).where(
        ScoreEntry.lead_id == lead_id, ScoreEntry.behaviour_id != ""
    )
    for behaviour_id, each in await session.execute(earned):
        points[behaviour_id] = points.get(behaviour_id, 0) + each
    behaved = select(BehaviourRow).where(BehaviourRow.lead_id == lead_id).order_by(BehaviourRow.at, BehaviourRow.id)
    for row in await session.scalars(behaved):
        earns = round(points[row.id]) if row.id in points else None
        machine = " (by a machine: it counts for nothing)" if row.bot else ""
        day = day_of(row.props)
        told = row.at if day is None else row.at + timedelta(days=1)
        late = clock.real_duration(row.received_at - told) > LATE
        text = say_behaviour(row.name, row.subject) + machine
        lines.append(Line(row.at, "behaviour", text, points=earns, heard=row.received_at if late else None, day=day))
    return lines


async def _fact_lines(session: AsyncSession, lead_id: str, enrolments: Sequence[Enrolment]) -> list[Line]:
    """What its journeys recorded; behaviours are told once, as the lead's own, and a score once for all journeys."""
    subjects = {
        (enrolment_id, key): subject
        for enrolment_id, key, subject in await session.execute(
            select(Touch.enrolment_id, Touch.step_key, Message.subject)
            .join(Message, Message.touch_id == Touch.id)
            .where(Touch.lead_id == lead_id)
        )
    }
    offers = {
        (offer.enrolment_id, offer.step_key): offer.reason
        for offer in await session.scalars(select(HandOffRow).where(HandOffRow.lead_id == lead_id))
    }
    lines: list[Line] = []
    scored: set[tuple[datetime, int]] = set()
    for enrolment in sorted(enrolments, key=lambda each: (each.started_at, each.id)):
        settled: set[str] = set()
        for fact in await journal_of(session, enrolment.id):
            settled.add(getattr(fact, "key", "") if isinstance(fact, Done) else "")
            match fact:
                case Behaved() | Waiting():  # a behaviour has its own line; a wait is told by its end
                    continue
                case Scored():
                    if (fact.at, fact.score) in scored:
                        continue
                    scored.add((fact.at, fact.score))
                    lines.append(Line(fact.at, "score", say_fact(fact)))
                    continue
            about = subjects.get((enrolment.id, getattr(fact, "key", ""))) or offers.get(
                (enrolment.id, getattr(fact, "key", ""))
            )
            detail = f": {about}" if about and isinstance(fact, Done) and fact.result != "refused" else ""
            until = fact.until if isinstance(fact, Deferred) else None
            lines.append(Line(fact.at, _kind_of(fact), say_fact(fact) + detail, enrolment.track, until=until))
        open_touches = select(Touch).where(Touch.enrolment_id == enrolment.id, Touch.state == "sending")
        lines += [
            Line(touch.at, "sending", f"{touch.piece} is being sent", enrolment.track)
            for touch in await session.scalars(open_touches)
            if touch.step_key not in settled
        ]
    return lines


def _kind_of(fact: AnyFact) -> str:
    match fact:
        case Done() if fact.result in {"refused", "unknown"}:
            return fact.result
        case Done():
            return "sent" if Key.parse(fact.key).verb == "send" else "done"
        case Chosen():
            return "chosen"
        case Enrolled():
            return "enrolled"
        case _:
            return fact.kind
