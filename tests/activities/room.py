"""What the activities are tried with: a provider that does as it is told, and one lead on new-lead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from temporalio.testing import ActivityEnvironment

from activities.advance import AdvanceActivity
from activities.send import SendActivity
from models.journeys import DecisionRow, FactRow
from models.messages import Advanced, Advancing, StepOrder
from nurture.content.catalogue import Catalogue
from nurture.journey.decision import AnyStep, Park, Send
from nurture.journey.facts import AnyFact, Enrolled
from nurture.journey.track import Registry, Track
from nurture.people.scoring import DEFAULT_MODEL
from nurture.timing.clock import Clock
from perennial.channels.envelope import From
from perennial.channels.ports import Envelope, Fate, Provider
from perennial.journeys.read_model import FACT, Position
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database
from perennial.platform.tokens import Tokens
from tests.builders import consenting, enrolment, rows, store
from tests.engine.rig import CATALOGUE, MONDAY, TRACKS

WELCOME = Send("send:welcome", "welcome")
TOKENS = Tokens("a secret of the tests")
SENDER = From(
    "Dana", "dana@perennial.example", "dana@perennial.example", "12 Orchard Lane", "https://perennial.example"
)
ADA = "new-lead/ada/1"


class Killed(BaseException):
    """The worker was killed here."""


@dataclass
class Scripted:
    """A provider that keeps what it accepts, and fails as told: `before` or `after` it has accepted a message."""

    before: list[BaseException] = field(default_factory=list)
    after: list[BaseException] = field(default_factory=list)
    knows: bool = True
    kept: dict[str, Envelope] = field(default_factory=dict)
    asked: int = 0

    async def send(self, envelope: Envelope) -> str:
        """Keep a message, or raise what comes next in the script."""
        self.asked += 1
        if self.before:
            raise self.before.pop(0)
        assert envelope.touch_id not in self.kept, "sent twice"
        self.kept[envelope.touch_id] = envelope
        if self.after:
            raise self.after.pop(0)
        return f"id-{envelope.touch_id}"

    async def fate(self, touch_id: str) -> Fate:
        """What became of a message, if this provider is one that knows."""
        if not self.knows:
            return "unknown"
        return "accepted" if touch_id in self.kept else "absent"


def at_wall(moment: datetime) -> LiveClock:
    """The one clock, standing at a moment."""
    return LiveClock(Clock.production(), lambda: moment)


def sending(
    database: Database,
    provider: Provider,
    *,
    now: datetime = MONDAY,
    tracks: Registry = TRACKS,
    catalogue: Catalogue = CATALOGUE,
) -> SendActivity:
    """The activity `send` at a moment of the wall clock."""
    return SendActivity(database, tracks, catalogue, provider, SENDER, at_wall(now), TOKENS)


def order(step: AnyStep = WELCOME, *, now: datetime = MONDAY, enrolment: str = ADA, **changes: Any) -> StepOrder:
    """The order to carry out a step, as the journal's second fact."""
    track, lead, _ = enrolment.split("/")
    fields: dict[str, Any] = {"enrolment_id": enrolment, "lead_id": lead, "track": track, "step": step, "now": now}
    return StepOrder(**fields | {"seq": 1} | changes)


def resting(days: float = 7, key: str = "send:welcome/wait") -> Park:
    """Where the lead rests after a step."""
    return Park(key, MONDAY + timedelta(days=days), ("email.clicked:*",))


def advancing(*facts: AnyFact, now: datetime = MONDAY, saved: int = 0, decided: int = 0, **changes: Any) -> Advancing:
    """A wake for `advance`; without facts, the first of a journey. The first `saved` have the digest of just these."""
    journal = facts or (Enrolled(MONDAY, "ada", traits={"topic": "forecasting", "industry": "retail"}),)
    fields: dict[str, Any] = {"enrolment_id": ADA, "lead_id": "ada", "track": "new-lead", "facts": journal}
    numbers = {"total": len(journal), "saved": saved, "decided": decided, "now": now, "woken_at": now}
    digest = Position(0, "").after(journal[:saved]).digest
    return Advancing(**fields | numbers | {"digest": digest} | changes)


def advance_activity(
    database: Database, provider: Provider | None = None, *tracks: Track, now: datetime = MONDAY
) -> AdvanceActivity:
    """The activity `advance` at a moment of the wall clock, over these tracks or all."""
    registry = Registry(tracks) if tracks else TRACKS
    sender = sending(database, provider or Scripted(), now=now, tracks=registry)
    return AdvanceActivity(database, registry, CATALOGUE, DEFAULT_MODEL, sender)


async def advance(activity: AdvanceActivity, asked: Advancing) -> Advanced:
    """Run `advance` as a worker does."""
    found: Advanced = await ActivityEnvironment().run(activity.advance, asked)
    return found


def woken_again(asked: Advancing, advanced: Advanced, **changes: Any) -> Advancing:
    """The next wake of the same journey, which has this answer."""
    facts = (*asked.facts, *advanced.all_facts)
    known = {"facts": facts, "total": len(facts), "saved": len(facts), "decided": len(facts)}
    return asked.model_copy(
        update=known
        | {"digest": advanced.digest, "now": advanced.now, "news": (), "due": None, "rescore": True}
        | changes
    )


async def enrolled(database: Database, *tracks: str, **profile: Any) -> None:
    """Ada, who has consented, is on these tracks."""
    stays = [enrolment(each, "ada", at=MONDAY, priority=TRACKS[each].priority) for each in tracks or ("new-lead",)]
    await store(database, *consenting("ada", at=MONDAY, **profile), *stays)


async def journal(database: Database, enrolment: str = ADA) -> list[tuple[int, AnyFact]]:
    """The facts in the read model, by number."""
    async with database.reading() as session:
        rows = await session.execute(
            select(FactRow.seq, FactRow.fact).where(FactRow.enrolment_id == enrolment).order_by(FactRow.seq)
        )
        return [(seq, FACT.validate_python(fact)) for seq, fact in rows]


async def decisions(database: Database) -> list[tuple[int, str]]:
    """The decisions in the read model: after how many facts, and what came next."""
    return sorted((row.seq, row.next) for row in await rows(database, DecisionRow))


@asynccontextmanager
async def killed() -> AsyncIterator[None]:
    """A block in which the worker is killed."""
    try:
        yield
    except Killed:
        return
    raise AssertionError("nothing was killed here")
