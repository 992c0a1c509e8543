"""Behaviours for a journey that Temporal says does not run: who was right, and what becomes of them.

| the database says | what happened | the behaviours |
| --- | --- | --- |
| finished, or nothing | it ended meanwhile; it was removed since | are recorded; that is all |
| starting | it is not started yet | wait for its first decision |
| anything else | Temporal lost it, or somebody terminated it | wait for its next decision; a person is alerted |
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select

from models.journeys import Enrolment
from perennial.journeys.alerts import LOST, raise_alert
from perennial.journeys.unheard import leave_unheard
from perennial.platform.database import Database

SAID = "should be running, and Temporal does not know it (terminated, restored or emptied): `repair` mends it"


_HEAD = select(Enrolment.status, Enrolment.lead_id).where(Enrolment.id == bindparam("enrolment"))


async def keep_for(database: Database, enrolment_id: str, behaviours: Sequence[str], now: datetime) -> list[str]:
    """Keep behaviours for a journey that does not run; those of them that are lost on it until it is mended."""
    async with database.transaction() as connection:
        found = (await connection.execute(_HEAD, {"enrolment": enrolment_id})).one_or_none()
        if found is None or found.status == "finished":
            return []
        await leave_unheard(connection, [(each, enrolment_id) for each in behaviours])
        if found.status == "starting":
            return []
        await raise_alert(connection, enrolment_id, found.lead_id, LOST, SAID, now)
    return list(behaviours)
