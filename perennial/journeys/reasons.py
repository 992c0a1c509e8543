"""A reason of the gate in short: what reports count by."""

_TOLD_WHOLE = ("cap", "priority", "exited", "suppressed")


def in_short(reason: str) -> str:
    """The reason without its details (a clock's time, a city), except where these tell reasons apart."""
    name, _, details = reason.partition(":")
    return f"{name}:{details}" if name in _TOLD_WHOLE else name
