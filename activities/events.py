"""Events as they come in: stored once, in one transaction, before anybody is told that they were taken.

The table is also the relay's outbox: a stored event is `new` until the journeys it concerns have heard of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from models.edge import Event
from wiring.database import Transaction, connection_of, upsert_ignore

_INSERT_EVENTS = upsert_ignore(Event)


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


async def accept(transaction: Transaction, events: Sequence[Incoming]) -> None:
    """Store events, each once; those already there are left as they are. Commit before answering 2xx."""
    if not events:
        return
    rows = [
        {
            "source": event.source,
            "event_id": event.event_id,
            "fingerprint": event.fingerprint,
            "lead_id": event.lead_id,
            "anonymous_id": event.anonymous_id,
            "received_at": event.received_at,
            "body": dict(event.body),
            "state": "new",
            "note": "",
        }
        for event in events
    ]
    await (await connection_of(transaction)).execute(_INSERT_EVENTS, rows)
