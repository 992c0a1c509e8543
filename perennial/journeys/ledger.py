"""The ledger of touches, as a send reads and writes it: in Core, with statements built once.

`models.touches.Touch` says what the states are.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.touches import Touch

_TOUCHES = cast("Table", Touch.__table__)
_BEGIN = _TOUCHES.insert()
_HOLD = select(Touch.id, Touch.state, Touch.reason, Touch.at).where(Touch.id == bindparam("the_id")).with_for_update()
_CHANGED = ("state", "reason", "at", "provider_id")
_CHANGE = (
    _TOUCHES.update()
    .where(_TOUCHES.c.id == bindparam("the_id"))
    .values({name: bindparam(f"new_{name}", type_=_TOUCHES.c[name].type) for name in _CHANGED})
)


@dataclass(frozen=True, slots=True)
class TouchEntry:
    """What the ledger says of one touch. `at` is when it was judged last."""

    id: str
    state: str
    reason: str
    at: datetime


async def begin(connection: AsyncConnection, touch: TouchEntry, **named: Any) -> None:
    """Write a new touch; `named` are the columns that never change: of whom, on which track, which piece."""
    row = {"id": touch.id, "state": touch.state, "reason": touch.reason, "at": touch.at}
    await connection.execute(_BEGIN, row | named)


async def lock(connection: AsyncConnection, touch_id: str) -> TouchEntry:
    """What the ledger says of a touch, which nobody else changes until this transaction ends."""
    return TouchEntry(*(await connection.execute(_HOLD, {"the_id": touch_id})).one())


async def change(connection: AsyncConnection, touch: TouchEntry, *, provider_id: str | None = None) -> None:
    """Write down a touch's new state."""
    row = {"the_id": touch.id, "new_state": touch.state, "new_reason": touch.reason, "new_at": touch.at}
    await connection.execute(_CHANGE, row | {"new_provider_id": provider_id})
