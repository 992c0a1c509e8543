"""Export everything that is held about a lead, as one JSON document (GDPR articles 15 and 20)."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, Table, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.access import ApiKey
from models.base import Base
from models.episodes import EpisodeRow, SweepRow
from models.intake import Event
from models.journeys import Alert, AskedRow, DecisionRow, Enrolment, FactRow, HandOffRow, Unheard, Word
from models.leads import (
    BehaviourRow,
    Consent,
    Identity,
    LeadRow,
    Preference,
    ScoreEntry,
    SuppressedAddress,
    Suppression,
)
from models.past import PastLead, Removed
from models.shared import ClockRow, Lease, SendingPace
from models.touches import Message, Touch
from nurture.errors import NotFoundError
from perennial.leads.lookup import current_lead
from perennial.privacy.merge import merged_leads

BY_LEAD: tuple[type[Base], ...] = (
    Consent,
    Suppression,
    Preference,
    EpisodeRow,
    Identity,
    BehaviourRow,
    ScoreEntry,
    Enrolment,
    Touch,
    Message,
    HandOffRow,
    Alert,
    PastLead,
)
BY_ENROLMENT: tuple[type[Base], ...] = (FactRow, DecisionRow, Unheard, AskedRow, Word)
BY_ITSELF: tuple[type[Base], ...] = (LeadRow, Event)
NOT_ABOUT_LEADS: tuple[type[Base], ...] = (
    Removed,
    SuppressedAddress,
    ApiKey,
    Lease,
    ClockRow,
    SendingPace,
    SweepRow,
)
"""Hashes that lead back to nobody without the secret, and what an installation keeps about itself."""


@dataclass(frozen=True, slots=True)
class Traces:
    """The names by which a person is in the database: ids of leads and enrolments, addresses, visitor and user ids."""

    leads: tuple[str, ...]
    enrolments: tuple[str, ...]
    addresses: tuple[str, ...]
    anonymous: tuple[str, ...]
    users: tuple[str, ...]

    def events(self) -> ColumnElement[bool]:
        """The stored events about the person: its lead's, its visitors', and those that hold an address or user id.

        Only events of no lead are searched for addresses and ids.
        """
        said = [
            func.lower(cast(Event.body, String), type_=String).contains(text, autoescape=True)
            for value in (*self.addresses, *self.users)
            for text in {json.dumps(value).lower(), json.dumps(value, ensure_ascii=False).lower()}
        ]
        return or_(
            Event.lead_id.in_(self.leads),
            Event.anonymous_id.in_(self.anonymous),
            Event.lead_id.is_(None) & or_(False, *said),
        )


async def traces_of(session: AsyncSession, lead_id: str) -> Traces:
    """Every name of the lead and of the leads that were merged into it. Raises NotFoundError."""
    lead = await current_lead(session, lead_id)
    if lead is None:
        raise NotFoundError(f"no lead {lead_id!r}")
    leads = (lead.id, *await merged_leads(session, lead.id))
    enrolments = await session.scalars(select(Enrolment.id).where(Enrolment.lead_id.in_(leads)).order_by(Enrolment.id))
    spelled = await session.execute(select(LeadRow.email, LeadRow.email_key).where(LeadRow.id.in_(leads)))
    named = (await session.execute(select(Identity.kind, Identity.value).where(Identity.lead_id.in_(leads)))).all()
    return Traces(
        leads=leads,
        enrolments=tuple(enrolments),
        addresses=tuple(sorted({each for pair in spelled for each in pair if "@" in each})),
        anonymous=tuple(value for kind, value in named if kind == "anonymous"),
        users=tuple(value for kind, value in named if kind == "user"),
    )


async def export_lead(session: AsyncSession, lead_id: str, at: datetime) -> dict[str, Any]:
    """Every row about the lead and the leads merged into it, by table, with plain JSON values.

    Raises NotFoundError. Temporal's histories hold the same facts as `facts`, under opaque ids, and nothing else.
    """
    traces = await traces_of(session, lead_id)
    found: dict[str, Any] = {
        "lead": traces.leads[0],
        "merged": list(traces.leads[1:]),
        "exported_at": at.isoformat(),
        "leads": await _rows(session, LeadRow, LeadRow.id.in_(traces.leads)),
    }
    for table in BY_LEAD:
        found[table.__tablename__] = await _rows(session, table, _columns(table).c.lead_id.in_(traces.leads))
    for table in BY_ENROLMENT:
        of_them = _columns(table).c.enrolment_id.in_(traces.enrolments)
        found[table.__tablename__] = await _rows(session, table, of_them)
    found["events"] = await _rows(session, Event, traces.events())
    return found


async def _rows(session: AsyncSession, table: type[Base], clause: ColumnElement[bool]) -> list[dict[str, Any]]:
    columns = _columns(table)
    rows = await session.execute(select(columns).where(clause).order_by(*columns.primary_key))
    return [{name: _plain(value) for name, value in row.items()} for row in rows.mappings()]


def _columns(table: type[Base]) -> Table:
    return table.metadata.tables[table.__tablename__]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
