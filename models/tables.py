"""The tables. Facts about leads, the ledger of touches, and the read model of the journals."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, MetaData, String, Text, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from models.types import BIG_ID, JSON_VALUE, UtcDateTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Root of the mapped tables; datetimes are aware UTC, `dict` is JSON."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as declared
        datetime: UtcDateTime,
        dict[str, Any]: JSON_VALUE,
        list[Any]: JSON_VALUE,
    }


def refers_to(column: str) -> ForeignKey:
    """A foreign key that is checked at commit, so rows of one transaction may be added in any order."""
    return ForeignKey(column, deferrable=True, initially="DEFERRED")


class Lead(Base):
    """A person a company keeps in touch with. Names and addresses are here and in messages only."""

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
    """Append-only: each time a lead gave or withdrew consent, where and on which basis."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"), index=True)
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(16))  # granted | withdrawn
    basis: Mapped[str] = mapped_column(String(32))  # consent | legitimate-interest | contract
    source: Mapped[str] = mapped_column(String(64))
    wording: Mapped[str | None] = mapped_column(String(64))


class Suppression(Base):
    """A reason never to mail a lead again; it acts in the gate the moment it is committed."""

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("lead_id", "reason"),)

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"))
    reason: Mapped[str] = mapped_column(String(32))  # opt-out | complaint | hard-bounce | invalid-address
    source: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]


class BehaviourRow(Base):
    """One behaviour as it was received; `id` deduplicates."""

    __tablename__ = "behaviours"
    __table_args__ = (Index(None, "lead_id", "at"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"))
    name: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(255), default="")
    props: Mapped[dict[str, Any]] = mapped_column(default=dict)
    touch_id: Mapped[str | None] = mapped_column(String(32), index=True)  # the mail it is about
    bot: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  # a machine's: scores nothing, wakes nobody
    at: Mapped[datetime]
    received_at: Mapped[datetime]


class ScoreEntry(Base):
    """One line of the score ledger: points, why, and the behaviour they come from (none for a fit rule)."""

    __tablename__ = "score_entries"
    __table_args__ = (UniqueConstraint("lead_id", "rule", "behaviour_id"),)

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"))
    rule: Mapped[str] = mapped_column(String(64))
    behaviour_id: Mapped[str] = mapped_column(String(64), default="")  # empty: a fit rule (NULLs differ)
    points: Mapped[float]
    reason: Mapped[str] = mapped_column(String(255))
    at: Mapped[datetime]


class Enrolment(Base):
    """One stay of one lead on one track; the head of its journal in the read model."""

    __tablename__ = "enrolments"
    __table_args__ = (
        UniqueConstraint("lead_id", "track", "number"),
        Index(None, "track", "status", "step"),
    )

    id: Mapped[str] = mapped_column(String(160), primary_key=True)  # {track}/{lead_id}/{number}
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"))
    track: Mapped[str] = mapped_column(String(64))
    number: Mapped[int]
    status: Mapped[str] = mapped_column(String(16))  # starting | active | paused | finished
    cause: Mapped[str] = mapped_column(String(128), default="")
    priority: Mapped[int] = mapped_column(default=0)
    step: Mapped[str] = mapped_column(String(160), default="")
    next_at: Mapped[datetime | None]
    because: Mapped[list[Any]] = mapped_column(default=list)
    listens: Mapped[list[Any] | None]  # patterns that wake it while it is parked; None: everything does
    wakes_at_score: Mapped[int | None]
    outcome: Mapped[str | None] = mapped_column(String(64))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class FactRow(Base):
    """One fact of a journal, in order."""

    __tablename__ = "facts"

    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(160), default="")
    at: Mapped[datetime]
    fact: Mapped[dict[str, Any]]


class DecisionRow(Base):
    """One decision: after how many facts it was taken, what comes next, and why."""

    __tablename__ = "decisions"

    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)  # the journal's length when it was taken
    at: Mapped[datetime]
    next: Mapped[str] = mapped_column(String(160))
    until: Mapped[datetime | None]
    because: Mapped[list[Any]] = mapped_column(default=list)


class Touch(Base):
    """The send ledger: one row a step and enrolment, committed before the provider is asked."""

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
    step_key: Mapped[str] = mapped_column(String(160))
    piece: Mapped[str] = mapped_column(String(64))
    content_hash: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[str] = mapped_column(String(16))  # sending | accepted | refused | unknown
    reason: Mapped[str] = mapped_column(Text, default="")
    provider_id: Mapped[str | None] = mapped_column(String(128), index=True)
    delivery: Mapped[str] = mapped_column(String(16), default="", server_default="")  # delivered | bounced | ...
    delivered_at: Mapped[datetime | None]
    at: Mapped[datetime]


class Message(Base):
    """The local mailbox: what the mailbox provider accepted, one row a touch."""

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


class HandOff(Base):
    """A lead offered to sales, once a step; sales' answer arrives as a behaviour."""

    __tablename__ = "hand_offs"
    __table_args__ = (UniqueConstraint("enrolment_id", "step_key"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"))
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"), index=True)
    step_key: Mapped[str] = mapped_column(String(160))
    to: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)
    score: Mapped[int]
    at: Mapped[datetime]


class Alert(Base):
    """Something a person should look at; `step_key` keeps a retried activity from saying it twice."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("enrolment_id", "step_key"),)

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"))
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"))
    step_key: Mapped[str] = mapped_column(String(160))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class ClockRow(Base):
    """The one clock of an installation: at `real` it was `virtual`; a real second lasts `speed` seconds."""

    __tablename__ = "clock"

    id: Mapped[int] = mapped_column(primary_key=True)
    real: Mapped[datetime]
    virtual: Mapped[datetime]
    speed: Mapped[float]
