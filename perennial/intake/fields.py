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
    return (str(value) or None) if isinstance(value, str | int) and not isinstance(value, bool) else None


def moment_of(value: Any) -> datetime | None:
    """A moment from ISO 8601 with a time zone."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.utcoffset() is not None else None


def unix_moment_of(value: Any) -> datetime | None:
    """A moment from seconds since 1970, as a number or a text."""
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
