"""What the processes of one installation share: the clock, leases on exclusive jobs, and the sending pace."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class ClockRow(Base):
    """The one clock of an installation: at `real` it was `virtual`; a real second lasts `speed` seconds."""

    __tablename__ = "clock"

    id: Mapped[int] = mapped_column(primary_key=True)
    real: Mapped[datetime]
    virtual: Mapped[datetime]
    speed: Mapped[float]


class Lease(Base):
    """Which process holds an exclusive job, and until when."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime]


class SendingPace(Base):
    """The most mail that leaves in a minute and in an hour, over all leads; no row: as much as there is."""

    __tablename__ = "sending_pace"

    id: Mapped[int] = mapped_column(primary_key=True)
    per_minute: Mapped[int | None]
    per_hour: Mapped[int | None]
