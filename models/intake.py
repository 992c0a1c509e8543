"""Events as they came in; the table is also the outbox of the relay."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base
from models.types import BIG_ID

_NEW = text("state = 'new'")
_FAILED = text("state = 'failed'")


class Event(Base):
    """One event as it came in. It is `new`, and in the relay's outbox, until the journeys it concerns were told.

    Deduplicated by `event_id` within its source, and by `fingerprint`, because a provider may change or omit the id.
    """

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("source", "event_id"),
        Index("ix_events_new", "id", sqlite_where=_NEW, postgresql_where=_NEW),
        Index("ix_events_failed", "id", sqlite_where=_FAILED, postgresql_where=_FAILED),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    source: Mapped[str] = mapped_column(String(16))  # sendgrid | segment | crm | click
    event_id: Mapped[str | None] = mapped_column(String(128))
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    lead_id: Mapped[str | None] = mapped_column(String(32))
    anonymous_id: Mapped[str | None] = mapped_column(String(128), index=True)
    received_at: Mapped[datetime]
    body: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16), default="new")  # new | done | anonymous | ignored | failed
    note: Mapped[str] = mapped_column(Text, default="")
