"""Behaviours that a parked journey did not listen for: they wait until its next decision takes them in."""

from collections.abc import Collection, Iterable
from typing import cast

from sqlalchemy import Table, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from models.journeys import Unheard
from models.leads import BehaviourRow
from nurture.journey.facts import AnyFact, Behaved
from perennial.platform.database import upsert_ignore
from perennial.platform.prepared import Prepared

_INSERT = upsert_ignore(Unheard)
_UNHEARD = Prepared(
    select(BehaviourRow.id, BehaviourRow.at, BehaviourRow.name, BehaviourRow.subject, Unheard.taken)
    .join(Unheard, Unheard.behaviour_id == BehaviourRow.id)
    .where(Unheard.enrolment_id == bindparam("enrolment"))
    .order_by(BehaviourRow.at, BehaviourRow.id)
)
_ROWS = cast("Table", Unheard.__table__)
_MINE = _ROWS.c.enrolment_id == bindparam("enrolment")
_DROP = Prepared(_ROWS.delete().where(_MINE, _ROWS.c.taken < bindparam("position")))
_TAKE = Prepared(_ROWS.update().where(_MINE).values(taken=bindparam("position")))


async def leave_unheard(connection: AsyncConnection, waiting: Iterable[tuple[str, str]]) -> None:
    """Leave behaviours for the next decisions of enrolments: (behaviour's id, enrolment's id)."""
    rows = [{"enrolment_id": enrolment_id, "behaviour_id": id_, "taken": None} for id_, enrolment_id in waiting]
    if rows:
        await connection.execute(_INSERT, rows)


async def take_unheard(
    connection: AsyncConnection, enrolment_id: str, position: int, known: Collection[str]
) -> list[AnyFact]:
    """Take in the behaviours that this journey did not listen for since its last decision, but for the `known` ones.

    `position` is how many of its facts were saved then: a decision that is tried again takes the same ones.
    """
    found = await _UNHEARD.rows(connection, {"enrolment": enrolment_id})
    if not found:
        return []
    what = {"enrolment": enrolment_id, "position": position}
    if any(taken is not None and taken < position for *_, taken in found):
        await _DROP.run(connection, what)
    await _TAKE.run(connection, what)
    return [
        Behaved(at, id_, name, subject)
        for id_, at, name, subject, taken in found
        if id_ not in known and (taken is None or taken >= position)
    ]
