"""What a person at the controls asked of journeys, kept until each has heard it.

It is committed before the journeys are signalled: from then on the next wake hears it, and no send under way passes the
gate, however long the signals take. The journey hears an id once, by whichever way comes first; what is still unheard
after some seconds the relay tells it (`perennial.intake.prompting`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Literal, TypeVar, cast, get_args

from sqlalchemy import Table, bindparam, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.client import Client

from models.journeys import AskedRow, Enrolment
from models.messages import Release, Request
from nurture.journey.refs import ref_of
from nurture.people.addresses import hide_addresses
from perennial.journeys.handles import signal_journey
from perennial.journeys.words import keep_words
from perennial.platform.database import Transaction, connection_of, in_parts

AskedVerb = Literal["pause", "resume", "exit"]
KEPT: tuple[str, ...] = get_args(AskedVerb)
"""What is kept; a refresh changes nothing that the gate could heed."""


Asking = TypeVar("Asking", Request, Release)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of some journeys."""

    enrolments: tuple[str, ...]
    verb: AskedVerb
    request: Request


_ASKED = cast("Table", AskedRow.__table__)
_COLUMNS = ("id", "verb", "reason", "at")
_FORGET = _ASKED.delete().where(_ASKED.c.enrolment_id == bindparam("enrolment"), _ASKED.c.id == bindparam("asked"))


async def ask(
    transaction: Transaction,
    enrolments: Sequence[str],
    verb: AskedVerb,
    request: Request,
    at: datetime,
    *,
    typed: bool = False,
) -> Request:
    """Keep what is asked of these journeys, in place of what was asked before and is still unheard.

    The request to signal them: with a reference for a reason that a person typed.
    """
    connection = await connection_of(transaction)
    wire = in_reference(request) if typed else request
    for part in in_parts(enrolments):
        running = select(
            Enrolment.id,
            literal(request.id),
            literal(verb),
            literal(hide_addresses(request.reason)),
            literal(at, _ASKED.c.at.type),
        ).where(Enrolment.id.in_(part), Enrolment.status != "finished")
        new = insert(_ASKED).from_select(["enrolment_id", *_COLUMNS], running)
        await connection.execute(
            new.on_conflict_do_update(
                index_elements=["enrolment_id"], set_={name: new.excluded[name] for name in _COLUMNS}
            )
        )
        if wire != request:
            await keep_words(connection, part, {wire.reason: hide_addresses(request.reason)})
    return wire


def in_reference(request: Asking) -> Asking:
    """What is asked, with a reference in place of the reason, which a person typed."""
    return request.model_copy(update={"reason": ref_of(request.id)}) if request.reason else request


async def keep_reason(transaction: Transaction, enrolment_id: str, request: Asking) -> Asking:
    """Keep the reason of an update, which is made right after; the update with a reference to it."""
    wire = in_reference(request)
    if wire != request:
        await keep_words(transaction, [enrolment_id], {wire.reason: hide_addresses(request.reason)})
    return wire


async def ask_to_exit(transaction: Transaction, enrolments: Sequence[str], reason: str, at: datetime) -> Asked:
    """Ask journeys to exit, in the caller's transaction; `reason` holds no personal data."""
    asked = Asked(tuple(enrolments), "exit", Request(id=f"asked:{token_hex(8)}", reason=reason))
    await ask(transaction, asked.enrolments, "exit", asked.request, at)
    return asked


async def tell_asked(client: Client, asked: Asked) -> int:
    """Signal journeys what is asked of them; how many were running. Raises RPCError: then the relay tells them."""
    told = 0
    for enrolment_id in asked.enrolments:
        told += await signal_journey(client, enrolment_id, asked.verb, asked.request)
    return told


async def forget_asked(connection: AsyncConnection, enrolment_id: str, asked_id: str) -> None:
    """The journey has heard what was asked under this id."""
    await connection.execute(_FORGET, {"enrolment": enrolment_id, "asked": asked_id})
