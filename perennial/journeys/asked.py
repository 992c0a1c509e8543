"""What a person at the controls asked of journeys, kept until each has heard it.

It is committed before the journeys are signalled: from then on the next wake hears it, and no send under way passes the
gate, however long the signals take. The journey hears an id once, by whichever way comes first.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, cast, get_args

from sqlalchemy import Table, bindparam, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from models.journeys import AskedRow, Enrolment
from models.messages import Request
from perennial.platform.database import Transaction, connection_of, in_parts

AskedVerb = Literal["pause", "resume", "exit"]
KEPT: tuple[str, ...] = get_args(AskedVerb)
"""What is kept; a refresh changes nothing that the gate could heed."""

_ASKED = cast("Table", AskedRow.__table__)
_COLUMNS = ("id", "verb", "reason", "at")
_FORGET = _ASKED.delete().where(_ASKED.c.enrolment_id == bindparam("enrolment"), _ASKED.c.id == bindparam("asked"))


async def ask(
    transaction: Transaction, enrolments: Sequence[str], verb: AskedVerb, request: Request, at: datetime
) -> None:
    """Keep what is asked of these journeys, in place of what was asked before and is still unheard."""
    connection = await connection_of(transaction)
    for part in in_parts(enrolments):
        running = select(
            Enrolment.id, literal(request.id), literal(verb), literal(request.reason), literal(at, _ASKED.c.at.type)
        ).where(Enrolment.id.in_(part), Enrolment.status != "finished")
        new = insert(_ASKED).from_select(["enrolment_id", *_COLUMNS], running)
        await connection.execute(
            new.on_conflict_do_update(
                index_elements=["enrolment_id"], set_={name: new.excluded[name] for name in _COLUMNS}
            )
        )


async def forget_asked(connection: AsyncConnection, enrolment_id: str, asked_id: str) -> None:
    """The journey has heard what was asked under this id."""
    await connection.execute(_FORGET, {"enrolment": enrolment_id, "asked": asked_id})
