"""An enrolment's present lead: after a merge, the one that goes on."""

from sqlalchemy import bindparam, select

from models.journeys import Enrolment
from nurture.errors import NotFoundError
from perennial.leads.lock import lock_lead
from perennial.platform.database import Transaction, connection_of
from perennial.platform.prepared import Prepared

_LEAD_ID_OF = Prepared(select(Enrolment.lead_id).where(Enrolment.id == bindparam("enrolment")))


async def lock_enrolled_lead(transaction: Transaction, enrolment_id: str) -> str:
    """Lock the enrolment's current lead, so that concurrent behaviours fall before or after this transaction; its id.

    Raises NotFoundError for an unknown enrolment.
    """
    connection = await connection_of(transaction)
    locked: str | None = None
    while True:
        rows = await _LEAD_ID_OF.rows(connection, {"enrolment": enrolment_id})
        if not rows:
            raise NotFoundError(f"no enrolment {enrolment_id!r}")
        lead_id: str = rows[0][0]
        if lead_id == locked or connection.dialect.name == "sqlite":  # SQLite has one writer, so there is no race
            return lead_id
        await lock_lead(connection, lead_id)
        locked = lead_id
