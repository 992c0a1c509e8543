"""Behaviours that a parked journey did not listen for: they wait until its next decision takes them in."""

from collections.abc import Iterable

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models.journeys import Unheard
from models.leads import BehaviourRow
from models.messages import Deciding
from nurture.journey.facts import AnyFact, Behaved
from perennial.platform.database import upsert_ignore

_INSERT = upsert_ignore(Unheard)
_UNHEARD = (
    select(BehaviourRow.id, BehaviourRow.at, BehaviourRow.name, BehaviourRow.subject, Unheard.taken)
    .join(Unheard, Unheard.behaviour_id == BehaviourRow.id)
    .where(Unheard.enrolment_id == bindparam("enrolment"))
    .order_by(BehaviourRow.at, BehaviourRow.id)
)


async def leave_unheard(connection: AsyncConnection, behaviour_id: str, enrolments: Iterable[str]) -> None:
    """Leave a behaviour for the next decision of each of these enrolments."""
    rows = [{"enrolment_id": each, "behaviour_id": behaviour_id, "taken": None} for each in enrolments]
    if rows:
        await connection.execute(_INSERT, rows)


async def take_unheard(connection: AsyncConnection, asked: Deciding) -> list[AnyFact]:
    """Take in the behaviours that this journey did not listen for since its last decision.

    A decision that is tried again, at the same length of the journal, takes the same ones.
    """
    found = (await connection.execute(_UNHEARD, {"enrolment": asked.enrolment_id})).all()
    if not found:
        return []
    mine = Unheard.enrolment_id == asked.enrolment_id
    await connection.execute(delete(Unheard).where(mine, Unheard.taken < asked.total))
    await connection.execute(update(Unheard).where(mine).values(taken=asked.total))
    known = {fact.id for fact in asked.facts if isinstance(fact, Behaved)}
    return [
        Behaved(at, id_, name, subject)
        for id_, at, name, subject, taken in found
        if id_ not in known and (taken is None or taken >= asked.total)
    ]
