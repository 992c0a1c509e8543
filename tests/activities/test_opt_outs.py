"""An opt-out committed at every point of the send path: no send starts after it.

A send starts with the commit of its judgement. The opt-out is tried before all, before each statement and each commit,
and before the provider is asked; what a lock keeps it from it does as soon as the send is through.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.util import await_only
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.send import SendActivity
from models.messages import StepOutcome
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import Registry, track
from perennial.channels.ports import Envelope, TryLaterError, UnknownFateError
from perennial.leads.suppression import suppress
from perennial.platform.database import Database, postgres_engine, sqlite_engine
from tests.activities.room import Killed, Scripted, killed, order, sending
from tests.builders import consenting, enrolment, store
from tests.engine.rig import MONDAY

LATER = MONDAY + timedelta(minutes=20)


async def one_mail(lead: Lead) -> Outcome:
    """One mail."""
    await lead.send("welcome")
    return nurtured


TRACKS = {
    policy: Registry((track("new-lead", delivery=policy)(one_mail),))  # type: ignore[arg-type]
    for policy in ("at_most_once", "at_least_once")
}


@dataclass
class Opponent:
    """Opts a lead out at one point of its send, and takes down what happens in which order."""

    engine: AsyncEngine
    lead: str
    at: int
    log: list[str] = field(default_factory=list)
    points: int = 0
    _busy: bool = False

    async def opt_out(self) -> None:
        """Opt out now, unless a lock is in the way."""
        self._busy = True
        try:
            async with AsyncSession(self.engine) as session, session.begin():
                if self.engine.dialect.name == "postgresql":
                    await session.execute(text("SET LOCAL lock_timeout = '20ms'"))
                await suppress(session, self.lead, "opt-out", MONDAY, source="web")
            self.log.append("opted out")
        except DBAPIError:
            self.log.append("locked out")
        finally:
            self._busy = False

    async def passing(self) -> None:
        """A point of the send path."""
        self.points += 1
        if self.points - 1 == self.at:
            await self.opt_out()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """For the length of the block, before each statement and each commit of others."""

        def statement(connection: Connection, *_: Any) -> None:
            if not self._busy:
                await_only(self.passing())

        def commit(connection: Connection) -> None:
            if not self._busy:
                await_only(self.passing())
                self.log.append("committed")

        event.listen(Engine, "before_cursor_execute", statement)
        event.listen(Engine, "commit", commit)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", statement)
            event.remove(Engine, "commit", commit)


@dataclass
class Watched(Scripted):
    """A provider that the opponent sees."""

    opponent: Opponent | None = None

    async def send(self, envelope: Envelope) -> str:
        """Send."""
        if self.opponent is not None:
            await self.opponent.passing()
            self.opponent.log.append("asked")
        return await super().send(envelope)


async def first_try(activity: SendActivity, lead: str) -> None:
    """Nothing was tried before."""


async def cut_short(activity: SendActivity, lead: str) -> None:
    """A try was killed before the provider was asked, which knows that it was not."""
    async with killed():
        await carry_out(replaced(activity, Watched(before=[Killed()])), lead)


async def put_off(activity: SendActivity, lead: str) -> None:
    """The provider asked to try again later."""
    with pytest.raises(ApplicationError):
        await carry_out(replaced(activity, Watched(before=[TryLaterError()])), lead)


async def lost_sight(activity: SendActivity, lead: str) -> None:
    """The provider never answered; on a track that sends at least once."""
    with pytest.raises(ApplicationError):
        await carry_out(replaced(activity, Watched(before=[UnknownFateError()], knows=False)), lead)


def replaced(activity: SendActivity, provider: Scripted) -> SendActivity:
    """The activity over another provider."""
    return replace(activity, provider=provider)


async def carry_out(activity: SendActivity, lead: str) -> StepOutcome:
    """Run `send` for a lead as a worker does."""
    asked = order(enrolment=f"new-lead/{lead}/1", now=activity.time.now())
    outcome: StepOutcome = await ActivityEnvironment().run(activity.send, asked)
    return outcome


def waits_for_nobody(connection: Any, _: object) -> None:
    """Give up a transaction that cannot begin at once."""
    connection.driver_connection.patience = 0


@pytest.fixture
async def impatient(database: Database) -> AsyncIterator[AsyncEngine]:
    """Another process's engine, which waits for no lock of SQLite's."""
    if database.is_sqlite:
        engine = sqlite_engine(database.url, "BEGIN IMMEDIATE", "busy_timeout=0")
        event.listen(engine.sync_engine, "connect", waits_for_nobody)
    else:
        engine = postgres_engine(database.url)
    yield engine
    await engine.dispose()


@pytest.mark.parametrize(
    ("before", "policy"),
    [
        (first_try, "at_most_once"),
        (cut_short, "at_most_once"),
        (put_off, "at_most_once"),
        (lost_sight, "at_least_once"),
    ],
)
async def test_no_send_starts_after_an_opt_out_wherever_it_is_committed(
    database: Database, impatient: AsyncEngine, before: Callable[[SendActivity, str], Any], policy: str
) -> None:
    """All points one after another, each with a lead of its own, until the path has no more."""
    stories = []
    at = 0
    while True:
        lead = f"ada{at}"
        await on_the_track(database, lead)
        await before(sending(database, Scripted(), tracks=TRACKS[policy]), lead)
        opponent = Opponent(impatient, lead, at)
        provider = Watched(opponent=opponent, knows=policy == "at_most_once")
        await opponent.passing()
        with opponent.watching():
            outcome = await carry_out(sending(database, provider, now=LATER, tracks=TRACKS[policy]), lead)
        if "opted out" not in opponent.log:
            await opponent.opt_out()
        hold(opponent.log, outcome)
        stories.append(opponent.log)
        if opponent.points <= at:
            break
        at += 1
    assert any("asked" not in log for log in stories), "an opt-out that came first"
    assert any("locked out" in log for log in stories), "one that had to wait for the judgement"
    assert any("opted out" in log[: log.index("asked")] for log in stories if "asked" in log), "one in between"
    assert any(log[-2:] == ["committed", "opted out"] for log in stories), "one that came after all"


def hold(log: list[str], outcome: StepOutcome) -> None:
    """If the provider was asked, then the judgement before it was committed before the opt-out."""
    assert log.count("opted out") == 1, log
    if "asked" not in log:
        assert outcome.result in {"refused", "unknown"}
        assert outcome.reason.endswith("suppressed: opt-out")
        return
    assert outcome.result == "sent"
    started = max(place for place, what in enumerate(log[: log.index("asked")]) if what == "committed")
    assert log.index("opted out") > started, log


async def on_the_track(database: Database, lead: str) -> None:
    """A lead that may be mailed."""
    await store(database, *consenting(lead, at=MONDAY), enrolment(lead_id=lead, at=MONDAY))
