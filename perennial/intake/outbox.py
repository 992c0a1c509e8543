"""The outbox: events as they come in, stored once, in one transaction, before their sender gets a 2xx.

A stored event is `new` until the relay has told the journeys it concerns.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

import asyncpg
from sqlalchemy import ARRAY, DateTime, Text, bindparam, exc, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from perennial.platform.database import Database, Transaction, connection_of

CHANNEL = "outbox"
"""The PostgreSQL channel by which those who store events wake the relay."""

LONGEST_ID = 128
"""Characters of an event's own id, or of a visitor's, as their columns hold them."""

STORE_SECONDS = 15.0
"""Past this a sender is told 503. The transaction may still commit; the resend is then recognised."""

_ATTEMPTS = 3
_COLUMNS = ("source", "event_id", "fingerprint", "lead_id", "anonymous_id", "received_at", "body")
_JSON = json.JSONEncoder(separators=(",", ":"))
_NAMES = ", ".join(_COLUMNS)

# SQL by hand: only here do thousands of rows come at once, with a sender waiting for the answer.
_ONE_BY_ONE = (
    f"INSERT INTO events ({_NAMES}, state, note) VALUES ({', '.join('?' * len(_COLUMNS))}, 'new', '')"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
_ALL_AT_ONCE = text(
    # Number them in the order they came, which is the order they are told in. Insert them in an order that all
    # transactions share, or two with the same events would wait for each other.
    f"""
    INSERT INTO events (id, {_NAMES}, state, note)
    SELECT id, {_NAMES.replace("body", "body::jsonb")}, 'new', ''
    FROM (
        SELECT nextval(pg_get_serial_sequence('events', 'id')) AS id, given.*
        FROM unnest(:source, :event_id, :fingerprint, :lead_id, :anonymous_id, :received_at, :body)
            AS given ({_NAMES})
    ) AS numbered
    ORDER BY source, event_id, fingerprint
    ON CONFLICT DO NOTHING
    """  # noqa: S608
).bindparams(
    *(bindparam(name, type_=ARRAY(DateTime(timezone=True) if name == "received_at" else Text())) for name in _COLUMNS)
)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event of a source, such as `sendgrid`. `event_id` is the source's own, if it gave one.

    `identity` holds the parts that name the event even if its id changes: its fingerprint is made of them.
    """

    source: str
    event_id: str | None
    identity: tuple[Any, ...]
    body: Mapping[str, Any]
    received_at: datetime
    lead_id: str | None = None
    anonymous_id: str | None = None

    @property
    def fingerprint(self) -> str:
        """Hex sha256 over the source and the identity."""
        parts = "\x1f".join("" if part is None else str(part) for part in (self.source, *self.identity))
        return sha256(parts.encode()).hexdigest()


async def store(
    database: Database,
    events: Sequence[Incoming],
    before: Callable[[AsyncSession], Awaitable[None]] | None = None,
) -> int:
    """Commit events, after what `before` writes, in one transaction; how many of them were new.

    Two transactions that store the same events can wait for each other. PostgreSQL ends one of them; it is then run
    again. Raises what the database raises, and TimeoutError.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with asyncio.timeout(STORE_SECONDS), database.writing() as session:
                if before is not None:
                    await before(session)
                new = await accept(session, events)
        except exc.DBAPIError as error:
            if attempt == _ATTEMPTS or not _is_deadlock(error):
                raise
        else:
            break
    database.announce(CHANNEL)
    return new


async def accept(transaction: Transaction, events: Sequence[Incoming]) -> int:
    """Write events in the caller's transaction, each once; how many were new. Those already there stay as they are."""
    if not events:
        return 0
    connection = await connection_of(transaction)
    if connection.dialect.name == "sqlite":
        rows = [_row(event, _as_text(event.received_at)) for event in events]
        return (await connection.exec_driver_sql(_ONE_BY_ONE, rows)).rowcount
    columns = zip(*[_row(event, event.received_at) for event in events], strict=True)
    return (await connection.execute(_ALL_AT_ONCE, dict(zip(_COLUMNS, map(list, columns), strict=True)))).rowcount


def event_id_of(value: Any) -> str | None:
    """A source's own id for an event, as it is stored: one too long for its column by its hash; None if unusable."""
    if not isinstance(value, str) or not value:
        return None
    return value if len(value) <= LONGEST_ID else sha256(value.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far behind the relay is: events waiting, and when the oldest of them came in."""

    waiting: int
    oldest: datetime | None

    def age(self, now: datetime) -> timedelta:
        """How long the oldest waits; nothing if none does."""
        return timedelta(0) if self.oldest is None else max(timedelta(0), now - self.oldest)


async def backlog(session: AsyncSession) -> Backlog:
    """What is waiting now."""
    counted = select(func.count(), func.min(Event.received_at)).where(Event.state == "new")
    waiting, oldest = (await session.execute(counted)).one()
    return Backlog(waiting, oldest)


def _is_deadlock(error: exc.DBAPIError) -> bool:
    cause = error.orig.__cause__ if error.orig is not None else None
    return isinstance(cause, asyncpg.DeadlockDetectedError | asyncpg.SerializationError)


def _row(event: Incoming, at: datetime | str) -> tuple[Any, ...]:
    return (
        event.source,
        event.event_id,
        event.fingerprint,
        event.lead_id,
        event.anonymous_id,
        at,
        _JSON.encode(event.body),
    )


@lru_cache(maxsize=64)
def _as_text(at: datetime) -> str:
    """A moment as `UtcDateTime` stores it on SQLite; the events of a batch share one."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
