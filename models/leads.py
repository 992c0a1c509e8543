"""Facts about leads: profile, identities, consent, suppressions, preferences, behaviours, scores."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, refers_to
from models.types import BIG_ID


class LeadRow(Base):
    """A person a company keeps in touch with. Only this table and messages hold names and addresses."""

    __tablename__ = "leads"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    email: Mapped[str] = mapped_column(String(320))
    email_key: Mapped[str] = mapped_column(String(320), unique=True)  # normalised address
    external_id: Mapped[str | None] = mapped_column(String(128), unique=True)
    first_name: Mapped[str | None] = mapped_column(String(128))
    last_name: Mapped[str | None] = mapped_column(String(128))
    company: Mapped[str | None] = mapped_column(String(200))
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    country: Mapped[str | None] = mapped_column(String(2))  # ISO 3166-1 alpha-2
    traits: Mapped[dict[str, Any]] = mapped_column(default=dict)  # slugs: industry, topic, source, ...
    segment: Mapped[dict[str, Any]] = mapped_column(default=dict)  # further imported columns, to filter by
    score: Mapped[int] = mapped_column(default=0)
    stage: Mapped[str] = mapped_column(String(32), default="awareness")
    band: Mapped[str] = mapped_column(String(16), default="cold")
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
    merged_into: Mapped[str | None] = mapped_column(String(32))  # the lead that goes on, after a merge
    mail_paused_until: Mapped[datetime | None]  # the lead asked for a break
    soft_bounces: Mapped[int] = mapped_column(default=0, server_default="0")


class Consent(Base):
    """Append-only: each time a lead granted or withdrew consent, where and on which basis."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"), index=True)
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(16))  # granted | confirmed | withdrawn | requested | lifted
    basis: Mapped[str] = mapped_column(String(32))  # consent | legitimate-interest | contract
    source: Mapped[str] = mapped_column(Text)
    wording: Mapped[str | None] = mapped_column(Text)


class Suppression(Base):
    """A reason never to mail a lead again; it acts in the gate the moment it is committed."""

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("lead_id", "reason"),)

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"))
    reason: Mapped[str] = mapped_column(String(32))  # opt-out | complaint | hard-bounce | invalid-address
    source: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class BehaviourRow(Base):
    """One behaviour as it was received; `id` deduplicates."""

    __tablename__ = "behaviours"
    __table_args__ = (Index(None, "lead_id", "at"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"))
    name: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(Text, default="")
    props: Mapped[dict[str, Any]] = mapped_column(default=dict)
    touch_id: Mapped[str | None] = mapped_column(String(32), index=True)  # the mail it is about
    bot: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  # by a machine: scores nothing, wakes nobody
    at: Mapped[datetime]
    received_at: Mapped[datetime]


class ScoreEntry(Base):
    """One line of the score ledger: points, the reason, and the behaviour they come from (none for a fit rule)."""

    __tablename__ = "score_entries"
    __table_args__ = (UniqueConstraint("lead_id", "rule", "behaviour_id"),)

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"))
    rule: Mapped[str] = mapped_column(String(64))
    behaviour_id: Mapped[str] = mapped_column(String(64), default="")  # empty: a fit rule (NULLs differ)
    points: Mapped[float]
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class Identity(Base):
    """An id by which others know a lead: a browser's anonymous id, a product's user id, a CRM's id."""

    __tablename__ = "identities"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)  # anonymous | user | crm
    value: Mapped[str] = mapped_column(String(128), primary_key=True)
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"), index=True)
    at: Mapped[datetime]


class Preference(Base):
    """Whether a lead wants a topic; without a row it does."""

    __tablename__ = "preferences"

    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"), primary_key=True)
    topic: Mapped[str] = mapped_column(String(64), primary_key=True)
    wanted: Mapped[bool]
    at: Mapped[datetime]


class SuppressedAddress(Base):
    """The keyed hash of an address that must never be mailed again; of an erased lead nothing else is left."""

    __tablename__ = "suppressed_addresses"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    reason: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime]
