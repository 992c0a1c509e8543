"""Options and arguments that commands share, and how their texts are read."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from nurture.errors import InputError

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
LeadName = Annotated[
    str, typer.Argument(help="Id, e-mail address, external id, CRM id or user id.", show_default=False)
]
TrackName = Annotated[str, typer.Argument(help="The track, as `tracks` names it.", show_default=False)]
OneLead = Annotated[str | None, typer.Option(help="One lead, by id, e-mail address, external id, CRM id or user id.")]
Everyone = Annotated[bool, typer.Option("--all", help="Every lead.")]
Rate = Annotated[str | None, typer.Option(help="At most this many a second or minute, such as 50/s or 600/m.")]
InUtc = Annotated[bool, typer.Option("--utc", help="Times in UTC, not in the lead's own zone.")]
Where = Annotated[
    str | None,
    typer.Option(help='A filter, such as "industry=retail score>=40"; `leads` lists the names and values to use.'),
]

InSegment = Annotated[
    str | None, typer.Option("--segment", help="A segment of the programme; `segments` lists them. With --where: both.")
]


def parse_time(text: str, option: str) -> datetime:
    """A time from an option, `2026-03-01` or `2026-03-01T09:30+01:00`; without a zone it is UTC. Raises InputError."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text!r} is not a time; write 2026-03-01 or 2026-03-01T09:30+01:00") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


def parse_pair(text: str, option: str) -> tuple[str, str]:
    """`name=value` from an option. Raises InputError."""
    name, equals, value = text.partition("=")
    if not (equals and name.strip()):
        raise InputError(f"{option} {text!r} is not understood; write {option} name=value")
    return name.strip(), value.strip()


def parse_rate(text: str | None) -> float | None:
    """How many a second, from `50/s`, `600/m` or `50`. Raises InputError."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:/\s*([smh]))?\s*", text)
    if match is None or float(match[1]) <= 0:
        raise InputError(f"--rate {text!r} is not understood; write 50/s or 600/m")
    return float(match[1]) / {"s": 1, "m": 60, "h": 3600}[match[2] or "s"]


def parse_behaviour(text: str, option: str) -> tuple[str, str | None, datetime | None]:
    """`email.clicked=welcome@2026-03-01`: a behaviour, its subject and its time, each None if not given.

    What stands behind the last @ is a time if it begins with a year. Raises InputError.
    """
    what, at, when = text.rpartition("@")
    if not at or not re.match(r"\d{4}-", when):
        what, when = text, ""
    name, equals, subject = what.partition("=")
    if not name.strip():
        raise InputError(f"{option} {text!r} is not understood; write {option} email.clicked=welcome@2026-03-01T09:30")
    return name.strip(), subject.strip() if equals else None, parse_time(when, option) if when else None
