"""Lock leads for the rest of a transaction."""

from collections.abc import Collection

from sqlalchemy import bindparam, select

from models.leads import LeadRow
from perennial.platform.database import Transaction, connection_of, in_parts
from perennial.platform.prepared import Prepared

_LOCK_LEAD = Prepared(select(LeadRow.id).where(LeadRow.id == bindparam("lead")).with_for_update(key_share=True))


async def lock_lead(transaction: Transaction, lead_id: str) -> None:
    """Until this transaction ends, nobody else passes `lock_lead` for the lead; the gate's caps rely on it.

    PostgreSQL: FOR NO KEY UPDATE, so that new rows that refer to the lead (behaviours) need not wait.
    SQLite has one writer at a time, so there is nothing to do. An unknown lead locks nothing.
    """
    connection = await connection_of(transaction)
    if connection.dialect.name == "postgresql":
        await _LOCK_LEAD.rows(connection, {"lead": lead_id})


async def lock_leads(transaction: Transaction, lead_ids: Collection[str]) -> None:
    """Lock many leads, in the order of their ids: two batches about the same leads cannot wait for each other."""
    connection = await connection_of(transaction)
    if connection.dialect.name == "postgresql":
        for part in in_parts(sorted(lead_ids)):
            in_order = select(LeadRow.id).where(LeadRow.id.in_(part)).order_by(LeadRow.id)
            await connection.execute(in_order.with_for_update(key_share=True))
