"""The read model of the journeys: enrolments, facts and decisions; hand-offs and alerts for people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, refers_to
from models.types import BIG_ID

_ACTIVE = text("status = 'active'")
_HELD = text("status = 'held'")
_STUCK = text("stuck_since IS NOT NULL")

RUNNING = ("active", "paused", "held")
"""The statuses of a journey that a worker has taken up and that has not ended."""


class Enrolment(Base):
    """One enrolment of one lead on one track; the head of its journal in the read model."""

    __tablename__ = "enrolments"
    __table_args__ = (
        UniqueConstraint("lead_id", "track", "number"),
        Index(None, "track", "status", "step"),
        Index("ix_enrolments_due", "next_at", sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
        Index("ix_enrolments_held", "track", sqlite_where=_HELD, postgresql_where=_HELD),
        Index("ix_enrolments_stuck", "track", sqlite_where=_STUCK, postgresql_where=_STUCK),
    )

    id: Mapped[str] = mapped_column(String(160), primary_key=True)  # {track}/{lead_id}/{number}
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"))
    track: Mapped[str] = mapped_column(String(64))
    number: Mapped[int]
    status: Mapped[str] = mapped_column(String(16))  # starting | active | paused | held | finished
    cause: Mapped[str] = mapped_column(Text, default="")
    priority: Mapped[int] = mapped_column(default=0)
    step: Mapped[str] = mapped_column(Text, default="")
    next_at: Mapped[datetime | None]
    because: Mapped[list[Any]] = mapped_column(default=list)
    listens: Mapped[list[Any] | None]  # patterns that wake it while it is parked; None: everything does
    wakes_at_score: Mapped[int | None]
    outcome: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    length: Mapped[int] = mapped_column(default=0, server_default="0")  # facts that the workflow knows to be here
    digest: Mapped[str] = mapped_column(String(16), default="", server_default="")  # of those facts, in order
    open_touch: Mapped[str | None] = mapped_column(
        String(32)
    )  # a send that was begun, and whose outcome is no fact yet
    stuck_since: Mapped[datetime | None]  # since when its code, or its present step, keeps failing
    stuck: Mapped[str | None] = mapped_column(Text)  # because of what
    traits: Mapped[dict[str, Any] | None]  # the lead's at its enrolment; None where the workflow still has them


class Word(Base):
    """Words of a stranger that a journey's facts are about; Temporal has the reference alone."""

    __tablename__ = "words"

    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"), primary_key=True)
    ref: Mapped[str] = mapped_column(Text, primary_key=True)
    text: Mapped[str] = mapped_column(Text)


class AskedRow(Base):
    """What a person asked of a journey last, until the journey has heard it: the gate heeds it at once."""

    __tablename__ = "asked"

    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(64))  # the signal's; the journey hears an id once
    verb: Mapped[str] = mapped_column(String(8))  # pause | resume | exit
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class FactRow(Base):
    """One fact of a journal, in order."""

    __tablename__ = "facts"

    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]
    fact: Mapped[dict[str, Any]]


class DecisionRow(Base):
    """One decision: how many facts it was taken after, what comes next, and why."""

    __tablename__ = "decisions"

    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)  # the journal's length when it was taken
    at: Mapped[datetime]
    next: Mapped[str] = mapped_column(Text)
    until: Mapped[datetime | None]
    because: Mapped[list[Any]] = mapped_column(default=list)


class HandOffRow(Base):
    """An offer of a lead to sales, one a step; sales' answer arrives as a behaviour."""

    __tablename__ = "hand_offs"
    __table_args__ = (UniqueConstraint("enrolment_id", "step_key"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"))
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"), index=True)
    step_key: Mapped[str] = mapped_column(Text)
    to: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    score: Mapped[int]
    at: Mapped[datetime]


class Alert(Base):
    """Something a person should look at; `step_key` keeps a retried activity from raising it twice."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("enrolment_id", "step_key"),)

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"))
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"))
    step_key: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class Unheard(Base):
    """A behaviour that no parked journey listened for; the next decision takes it into the journal.

    `taken` is how much of the journal was saved at that decision: a decision tried again takes the same ones again.
    """

    __tablename__ = "unheard"

    enrolment_id: Mapped[str] = mapped_column(refers_to("enrolments.id"), primary_key=True)
    behaviour_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    taken: Mapped[int | None]
