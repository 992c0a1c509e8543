"""Lock a lead for the rest of a transaction."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from models.leads import LeadRow
from perennial.platform.database import Transaction, connection_of

_LOCK_LEAD = select(LeadRow.id).where(LeadRow.id == bindparam("lead")).with_for_update(key_share=True)


async def lock_lead(transaction: Transaction, lead_id: str) -> None:
    """Until this transaction ends, nobody else passes `lock_lead` for the lead; the gate's caps rely on it.

    PostgreSQL: FOR NO KEY UPDATE, so that new rows that refer to the lead (behaviours) need not wait.
    SQLite has one writer at a time, so there is nothing to do. An unknown lead locks nothing.
    """
    connection = await connection_of(transaction)
    if connection.dialect.name == "postgresql":
        await connection.execute(_LOCK_LEAD, {"lead": lead_id})
