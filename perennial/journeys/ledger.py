"""The ledger of touches. A send reads and writes it in Core, with statements built once.

`models.touches.Touch` lists the states.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from models.touches import Touch
from perennial.platform.prepared import Prepared

_TOUCHES = cast("Table", Touch.__table__)
_NAMED = ("enrolment_id", "lead_id", "track", "step_key", "piece", "content_hash")
_BEGIN = Prepared(_TOUCHES.insert(), ("id", "state", "reason", "at", "delivery", *_NAMED))
_LOCK = Prepared(
    select(Touch.id, Touch.state, Touch.reason, Touch.at).where(Touch.id == bindparam("the_id")).with_for_update()
)
_CHANGED = ("state", "reason", "at", "provider_id")
_CHANGE = Prepared(
    _TOUCHES.update()
    .where(_TOUCHES.c.id == bindparam("the_id"))
    .values({name: bindparam(f"new_{name}", type_=_TOUCHES.c[name].type) for name in _CHANGED})
)

_RANK = {"": 0, "deferred": 1, "delivered": 2, "dropped": 3, "bounced": 3}
"""A provider's events come in any order: a delivery only ever moves up."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What the ledger says of one touch; `at` is when it was last judged."""

    id: str
    state: str
    reason: str
    at: datetime


async def begin(connection: AsyncConnection, touch: LedgerEntry, **named: Any) -> None:
    """Write a new touch; `named` are the columns that never change: its lead, track, piece, ..."""
    row = {"id": touch.id, "state": touch.state, "reason": touch.reason, "at": touch.at, "delivery": ""}
    await _BEGIN.run(connection, row | named)


async def lock(connection: AsyncConnection, touch_id: str) -> LedgerEntry:
    """Lock a touch until this transaction ends, and read it."""
    (row,) = await _LOCK.rows(connection, {"the_id": touch_id})
    return LedgerEntry(*row)


async def change(connection: AsyncConnection, touch: LedgerEntry, *, provider_id: str | None = None) -> None:
    """Write a touch's new state."""
    row = {"the_id": touch.id, "new_state": touch.state, "new_reason": touch.reason, "new_at": touch.at}
    await _CHANGE.run(connection, row | {"new_provider_id": provider_id})


async def count_as_delivered(connection: AsyncConnection, touch: LedgerEntry, at: datetime) -> None:
    """Write that an accepted touch was delivered when its server took it, where nobody will ever tell."""
    delivered = update(Touch).where(Touch.id == touch.id, Touch.delivered_at.is_(None))
    await connection.execute(delivered.values(delivery="delivered", delivered_at=at))


async def record_delivery(
    session: AsyncSession, touch: Touch, delivery: str, *, provider_id: str | None, delivered_at: datetime | None
) -> None:
    """Write what the provider reports of a touch's mail. A touch of unknown fate is thereby settled as accepted."""
    values: dict[str, Any] = {}
    if touch.state in {"sending", "unknown"}:
        values |= {"state": "accepted", "provider_id": touch.provider_id or provider_id, "reason": ""}
    if _RANK[delivery] > _RANK.get(touch.delivery, 0):
        values["delivery"] = delivery
    if delivered_at is not None and touch.delivered_at is None:
        values["delivered_at"] = delivered_at
    if values:
        # Not by the session's own update: that looks at every object it holds, and a relay's batch holds hundreds.
        await session.execute(_TOUCHES.update().where(_TOUCHES.c.id == touch.id).values(values))
        for name, value in values.items():
            set_committed_value(touch, name, value)
