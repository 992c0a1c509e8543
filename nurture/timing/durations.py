"""Lengths of time, as a track says them: `days(7)`."""

from datetime import timedelta


def days(count: float) -> timedelta:
    """N days of 24 hours."""
    return timedelta(days=count)


def hours(count: float) -> timedelta:
    """N hours."""
    return timedelta(hours=count)
