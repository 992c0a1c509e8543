"""Read fields of JSON that others wrote: a value of the type we need, or None."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def mapping_of(value: Any) -> Mapping[str, Any]:
    """An object; empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def text_of(value: Any) -> str | None:
    """A text that is not empty."""
    return value if isinstance(value, str) and value else None


def identifier_of(value: Any) -> str | None:
    """An identifier as text; libraries send numbers as well."""
    return (str(value).strip() or None) if isinstance(value, str | int) and not isinstance(value, bool) else None


def moment_of(value: Any) -> datetime | None:
    """A moment in UTC, from ISO 8601 with a time zone; None also for one that UTC's years 1 to 9999 do not hold."""
    try:
        found = datetime.fromisoformat(value)
        return None if found.utcoffset() is None else found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def unix_moment_of(value: Any) -> datetime | None:
    """A moment from seconds since 1970, as a number or a text."""
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
