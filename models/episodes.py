"""Entry by segment: the stays of leads in the segments that tracks are entered by."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, refers_to


class SweepRow(Base):
    """When a segment was last swept for a track; locked while it is."""

    __tablename__ = "sweeps"

    track: Mapped[str] = mapped_column(String(64), primary_key=True)
    segment: Mapped[str] = mapped_column(Text, primary_key=True)
    swept_at: Mapped[datetime | None]


class EpisodeRow(Base):
    """A lead's latest stay in a segment that a track is entered by; an enrolment or a refusal settles it, once."""

    __tablename__ = "episodes"

    track: Mapped[str] = mapped_column(String(64), primary_key=True)
    segment: Mapped[str] = mapped_column(Text, primary_key=True)
    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"), primary_key=True, index=True)
    number: Mapped[int]  # of its stays in this segment, from 1
    began_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Text)  # enrolled | refused: why
    enrolment_id: Mapped[str | None] = mapped_column(String(160))
