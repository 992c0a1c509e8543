"""The tables of the edge: what came in, who it is about, who may call, and what a lead wants."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.tables import Base, refers_to
from models.types import BIG_ID


class Event(Base):
    """One event as it came in, and the outbox of the relay: `new` until the journeys it concerns have heard of it.

    Deduplicated by `event_id` within its source, and by `fingerprint`, because a provider may change or omit the id.
    """

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("source", "event_id"),
        Index("ix_events_new", "id", sqlite_where=text("state = 'new'"), postgresql_where=text("state = 'new'")),
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


class Unheard(Base):
    """A behaviour that no parked journey listened for; the next decision takes it into the journal.

    `taken` is the length of the journal at that decision: a decision tried again takes the same ones again.
    """

    __tablename__ = "unheard"

    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"), primary_key=True)
    behaviour_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    taken: Mapped[int | None]


class Identity(Base):
    """A name by which the world knows a lead: an anonymous id of a browser, a user id of a product, a CRM id."""

    __tablename__ = "identities"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)  # anonymous | user | crm
    value: Mapped[str] = mapped_column(String(128), primary_key=True)
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"), index=True)
    at: Mapped[datetime]


class Preference(Base):
    """Whether a lead wants a topic; no row means yes."""

    __tablename__ = "preferences"

    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"), primary_key=True)
    topic: Mapped[str] = mapped_column(String(64), primary_key=True)
    wanted: Mapped[bool]
    at: Mapped[datetime]


class SuppressedAddress(Base):
    """A keyed hash of an address that must never be mailed again; all that is left of an erased lead."""

    __tablename__ = "suppressed_addresses"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    reason: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime]


class ApiKey(Base):
    """A key of the web service: only its hash is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[Any]]  # ingest | marketing | support | admin
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class Lease(Base):
    """Who does a thing that only one process may do at a time, and until when."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime]
