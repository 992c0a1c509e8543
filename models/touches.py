"""The ledger of touches, and the messages that the database provider took."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, refers_to


class Touch(Base):
    """The send ledger: one row for each step of an enrolment, committed before the provider is called."""

    __tablename__ = "touches"
    __table_args__ = (
        UniqueConstraint("enrolment_id", "step_key"),
        Index(None, "lead_id", "at"),
        Index(None, "at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)  # opaque; goes to the provider
    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"))
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"))
    track: Mapped[str] = mapped_column(String(64))
    step_key: Mapped[str] = mapped_column(Text)
    piece: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[str] = mapped_column(String(16))  # sending | accepted | refused | unknown
    reason: Mapped[str] = mapped_column(Text, default="")
    provider_id: Mapped[str | None] = mapped_column(Text, index=True)
    delivery: Mapped[str] = mapped_column(String(16), default="", server_default="")  # delivered | bounced | ...
    delivered_at: Mapped[datetime | None]
    at: Mapped[datetime]


class Message(Base):
    """Mail that the database provider accepted, one row a touch."""

    __tablename__ = "messages"

    touch_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    lead_id: Mapped[str] = mapped_column(String(32), index=True)
    to: Mapped[str] = mapped_column(String(320))
    sender: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    headers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    categories: Mapped[list[Any]] = mapped_column(default=list)
    at: Mapped[datetime] = mapped_column(index=True)
