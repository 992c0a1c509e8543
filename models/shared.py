"""What the processes of one installation share: the clock, and leases on exclusive jobs."""

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
