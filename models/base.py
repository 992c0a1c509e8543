"""What every table shares: names of constraints, types, foreign keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase

from models.types import JSON_VALUE, UtcDateTime

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
