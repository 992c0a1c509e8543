"""The behaviours of leads as they are stored: each once, by its id."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import BehaviourRow
from perennial.platform.database import Transaction, connection_of, upsert_ignore

_INSERT = upsert_ignore(BehaviourRow)
_INSERT_NEW = _INSERT.returning(BehaviourRow.__table__.c.id)


async def write_new(transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Write behaviours, a few hundred at most; the ids of those that were not there already."""
    return set(await (await connection_of(transaction)).scalars(_INSERT_NEW, rows))


async def write_behaviours(transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write many behaviours; those that are there already stay as they are."""
    if rows:
        await (await connection_of(transaction)).execute(_INSERT, rows)


async def mark_machine(session: AsyncSession, behaviour_id: str) -> None:
    """Mark a behaviour as a machine's: it scores nothing and wakes nobody."""
    await session.execute(update(BehaviourRow).where(BehaviourRow.id == behaviour_id).values(bot=True))
