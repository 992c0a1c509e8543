"""Erase a lead (GDPR article 17): delete all that says who it was; keep opaque ids and times for statistics.

The order lets it stop anywhere and be done again. One transaction closes the gate for good, suppresses the address by a
keyed hash, and deletes everything personal. Then the journeys are told to exit. Once they are closed, what they wrote
meanwhile is deleted too. Last, whoever keeps mail outside, as the local mailbox does, is asked to forget it, and
SQLite's write-ahead log is emptied. A real provider is not asked: its logs of recent mail expire by its contract.

Temporal has references in place of what strangers wrote, and their words are deleted with the rest. It is asked to
delete the journeys' histories too, once they are closed: a person may have typed a name in the Temporal UI. If it does
not let us, they expire by the namespace's retention. PostgreSQL keeps dead rows until it vacuums, and backups hold
copies until they are rotated; both are for the operator to set.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client

from models.base import Base
from models.episodes import EpisodeRow
from models.intake import Event
from models.journeys import Alert, AskedRow, DecisionRow, Enrolment, FactRow, HandOffRow, Unheard, Word
from models.leads import BehaviourRow, Consent, Identity, LeadRow, Preference, ScoreEntry, Suppression
from models.touches import Message, Touch
from nurture.journey.facts import (
    AnyFact,
    Behaved,
    Deferred,
    Done,
    Enrolled,
    Exited,
    Explained,
    Held,
    Overridden,
    Paused,
    Released,
    Waited,
)
from perennial.journeys.asked import Asked, ask_to_exit, tell_asked
from perennial.journeys.handles import await_closed, running
from perennial.journeys.read_model import FACT
from perennial.leads import consent
from perennial.leads.lock import lock_leads
from perennial.leads.suppressed_addresses import suppress_address
from perennial.platform.database import Database
from perennial.platform.secrets import Secrets
from perennial.privacy.export import Traces, traces_of
from perennial.privacy.forgotten_journeys import forget_journeys

ERASED = "erased"
REASON = "erased at the lead's request"
CLOSED_WITHIN = timedelta(seconds=60)
_NO_SYNC = {"synchronize_session": False}

DELETED: tuple[type[Base], ...] = (Message, ScoreEntry, Preference, Identity, EpisodeRow)
"""Tables whose rows serve nothing without their lead."""


@dataclass(frozen=True, slots=True)
class Erased:
    """The leads that were erased (one, and those merged into it), and how many journeys had to end."""

    leads: tuple[str, ...]
    journeys: int
    histories_left: bool = False
    """Temporal keeps the journeys' histories, until its namespace's retention is over."""

    traces_left: bool = False
    """SQLite's write-ahead log was in use all the time, and still holds what was deleted."""
    finished: bool = True
    """Its journeys have ended; else Temporal was away, and what they write until they end is not deleted yet."""


Outside = Callable[[Sequence[str], Sequence[str]], Awaitable[None]]
"""Erases what is held outside of the database about these addresses, and about the recipients of these touches.

Touches outlive their lead: after a crash they say what to erase when no address is known any more.
"""


@dataclass(frozen=True, slots=True)
class Begun:
    """An erasure that is committed: what was known of the lead, and what its journeys were asked."""

    lead_id: str
    traces: Traces
    asked: Asked


@dataclass(frozen=True)
class Eraser:
    """Erases leads. The newest of `secrets` keys the hash by which the address is recognised."""

    database: Database
    secrets: Secrets
    within: timedelta = CLOSED_WITHIN
    outside: Outside | None = None

    async def begin(self, lead_id: str, at: datetime) -> Begun:
        """Delete everything personal, and ask the journeys to exit; nothing of this needs Temporal.

        Safe to repeat, also after a crash anywhere. Raises NotFoundError for an unknown lead.
        """
        async with self.database.writing() as session:
            await overwrite(session)
            traces = await erase_rows(session, lead_id, at, secrets=self.secrets)
            left = await running(session, traces.leads)
            begun = Begun(lead_id, traces, await ask_to_exit(session, left, REASON, at))
        if not left:
            await self._scrub_again(begun)
        return begun

    async def finish(self, begun: Begun, client: Client | None) -> Erased:
        """Have the journeys end, and delete what they wrote meanwhile; not without a client, as Temporal is away.

        Raises SettingsError if a journey does not end in time (no worker). By then everything personal is gone and
        nothing is sent; begin again once a worker runs.
        """
        left = begun.asked.enrolments
        if left and client is not None:
            await tell_asked(client, begun.asked)
            await await_closed(client, left, within=self.within)
            await self._scrub_again(begun)
        journeys = begun.traces.enrolments
        forgotten = not journeys or (client is not None and await forget_journeys(client, journeys))
        return Erased(
            begun.traces.leads,
            0 if client is None else len(left),
            traces_left=not await self.database.truncate_log(),
            histories_left=not forgotten,
            finished=not journeys or client is not None,
        )

    async def _scrub_again(self, begun: Begun) -> None:
        traces = begun.traces
        async with self.database.writing() as session:
            await overwrite(session)
            since = await traces_of(session, begun.lead_id)
            names = {"addresses": traces.addresses, "anonymous": traces.anonymous, "users": traces.users}
            await scrub(session, replace(since, **names))  # events that came meanwhile still hold them
            touches = (await session.scalars(select(Touch.id).where(Touch.lead_id.in_(traces.leads)))).all()
        if self.outside is not None:
            await self.outside(traces.addresses, touches)


async def erase_rows(session: AsyncSession, lead_id: str, at: datetime, *, secrets: Secrets) -> Traces:
    """Close the gate, suppress the address, delete what is personal. The caller ends the journeys."""
    leads = (await traces_of(session, lead_id)).leads
    await lock_leads(session, leads)
    traces = await traces_of(session, lead_id)
    for lead in await session.scalars(select(LeadRow).where(LeadRow.id.in_(traces.leads))):
        if lead.erased_at is None:
            await suppress_address(session, secrets, lead.email_key, ERASED, at)
            await consent.withdraw(session, lead.id, at, source=ERASED)
            lead.erased_at = at
    await session.flush()
    await scrub(session, traces)
    return traces


async def scrub(session: AsyncSession, traces: Traces) -> None:
    """Delete everything personal about erased leads, also what came after their erasure."""
    await _scrub_events(session, traces)
    for table in DELETED:
        await session.execute(
            delete(table).where(table.__table__.c.lead_id.in_(traces.leads)), execution_options=_NO_SYNC
        )
    await _scrub_leads(session, traces.leads)
    await _scrub_words(session, traces.leads)
    await _scrub_journals(session, traces.enrolments)


async def _scrub_leads(session: AsyncSession, leads: Iterable[str]) -> None:
    for lead_id in leads:
        await session.execute(
            update(LeadRow)
            .where(LeadRow.id == lead_id)
            .values(
                email=ERASED,
                email_key=f"{ERASED}:{lead_id}",
                external_id=None,
                first_name=None,
                last_name=None,
                company=None,
                country=None,
                time_zone="UTC",
                traits={},
                segment={},
                mail_paused_until=None,
                soft_bounces=0,
                score=0,
            ),
            execution_options=_NO_SYNC,
        )


async def _scrub_words(session: AsyncSession, leads: tuple[str, ...]) -> None:
    """Empty the columns in which a person, a provider or a page's address may have put anything."""
    for table, values in (
        (Consent, {"source": ERASED, "wording": None}),
        (Suppression, {"source": ERASED}),
        (BehaviourRow, {"props": {}}),
        (Touch, {"reason": "", "provider_id": None}),
        (HandOffRow, {"reason": ""}),
        (Alert, {"text": ""}),
        (Enrolment, {"because": [], "cause": "", "listens": None, "stuck": None, "traits": {}}),
    ):
        await session.execute(
            update(table).where(table.__table__.c.lead_id.in_(leads)).values(values), execution_options=_NO_SYNC
        )
    await session.execute(
        update(BehaviourRow)
        .where(BehaviourRow.lead_id.in_(leads), ~BehaviourRow.name.startswith("email.", autoescape=True))
        .values(subject=""),
        execution_options=_NO_SYNC,
    )
    await session.execute(
        update(Enrolment)
        .where(Enrolment.lead_id.in_(leads), Enrolment.outcome.startswith("exited: ", autoescape=True))
        .values(outcome=f"exited: {REASON}"),
        execution_options=_NO_SYNC,
    )


async def _scrub_journals(session: AsyncSession, enrolments: tuple[str, ...]) -> None:
    for table in (DecisionRow, Unheard, AskedRow, Word):
        await session.execute(
            delete(table).where(table.__table__.c.enrolment_id.in_(enrolments)), execution_options=_NO_SYNC
        )
    for row in await session.scalars(select(FactRow).where(FactRow.enrolment_id.in_(enrolments))):
        fact = FACT.validate_python(row.fact)
        clean = scrubbed(fact)
        if clean != fact:
            row.fact = FACT.dump_python(clean, mode="json", exclude_defaults=True) | {"kind": clean.kind}
    await session.flush()


def scrubbed(fact: AnyFact) -> AnyFact:  # noqa: PLR0911 - one case a kind of fact
    """The fact without words: keep what happened and when, drop what was said and what the lead looked at.

    The name of our own piece says nothing about the lead; the path of a page may hold anything.
    """
    match fact:
        case Enrolled():
            return replace(fact, cause="", traits={})
        case Behaved() | Waited():
            return fact if fact.name.startswith("email.") else replace(fact, subject="")
        case Done():
            return replace(fact, reason="", value=None)
        case Paused() | Overridden() | Released():
            return replace(fact, reason="")
        case Deferred():
            return replace(fact, reason=ERASED)
        case Explained():
            return replace(fact, said=(), tape=())
        case Held():
            return replace(fact, because=())
        case Exited():
            return replace(fact, reason=REASON)
        case _:
            return fact


async def _scrub_events(session: AsyncSession, traces: Traces) -> None:
    """Empty the stored events. Their fingerprints stay, so that an event that is sent again is not stored again.

    An event's own id goes too: its sender chose it, and may have made it of an address.
    """
    await session.execute(
        update(Event)
        .where(traces.events())
        .values(event_id=None, body={}, anonymous_id=None, lead_id=traces.leads[0], state="ignored", note=ERASED),
        execution_options=_NO_SYNC,
    )


async def overwrite(session: AsyncSession) -> None:
    """Have SQLite write zeros over deleted rows, instead of only freeing their space."""
    if session.get_bind().dialect.name == "sqlite":
        await session.execute(text("PRAGMA secure_delete = ON"))
