"""Events as they come in: stored once, in one transaction, before anybody is told that they were taken.

The table is also the relay's outbox: a stored event is `new` until the journeys it concerns have heard of it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from sqlalchemy import ARRAY, DateTime, Text, bindparam, text

from perennial.platform.database import Transaction, connection_of

_COLUMNS = ("source", "event_id", "fingerprint", "lead_id", "anonymous_id", "received_at", "body")
_JSON = json.JSONEncoder(separators=(",", ":"))
_NAMES = ", ".join(_COLUMNS)

# In SQL, as this is the one place where thousands of rows come at once, and each is answered for in milliseconds.
_ONE_BY_ONE = (
    f"INSERT INTO events ({_NAMES}, state, note) VALUES ({', '.join('?' * len(_COLUMNS))}, 'new', '')"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
_ALL_AT_ONCE = text(
    # Numbered as they came, which is the order in which they are told; inserted in an order that all transactions
    # share, or two with the same events would wait for each other.
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
    """One event from a source (`sendgrid`, `segment`, `crm`, `click`); `event_id` is the source's own, if it gave one.

    `identity` are the parts that name the event even if its id changes: they make its fingerprint.
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


async def accept(transaction: Transaction, events: Sequence[Incoming]) -> int:
    """Store events, each once; how many were new. Those already there are left as they are. Commit before a 2xx."""
    if not events:
        return 0
    connection = await connection_of(transaction)
    if connection.dialect.name == "sqlite":
        rows = [_row(event, _as_text(event.received_at)) for event in events]
        return (await connection.exec_driver_sql(_ONE_BY_ONE, rows)).rowcount
    columns = zip(*[_row(event, event.received_at) for event in events], strict=True)
    return (await connection.execute(_ALL_AT_ONCE, dict(zip(_COLUMNS, map(list, columns), strict=True)))).rowcount


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
    """A moment as `UtcDateTime` keeps it on SQLite; all of a batch have the same."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
