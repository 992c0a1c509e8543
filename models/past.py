"""What is left of rows that were removed once their time was over: counts, so that reports stay as they were."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, refers_to


class Removed(Base):
    """How many rows of a kind and name were removed."""

    __tablename__ = "removed"

    what: Mapped[str] = mapped_column(String(16), primary_key=True)  # touch | refused | deferred | message
    name: Mapped[str] = mapped_column(Text, primary_key=True)  # a state, a reason in short, or nothing
    number: Mapped[int] = mapped_column(BigInteger, default=0)


class PastLead(Base):
    """What a lead's removed journeys say of it in reports that count leads."""

    __tablename__ = "past_leads"

    lead_id: Mapped[str] = mapped_column(refers_to("leads.id"), primary_key=True)
    touched: Mapped[bool] = mapped_column(default=False)  # got a message
    top_score: Mapped[int] = mapped_column(default=0)  # the highest of its removed journals
