"""The read model of the journals: facts, decisions, and the head of each enrolment."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from pydantic import TypeAdapter
from sqlalchemy import Table, bindparam, exists
from sqlalchemy.dialects.postgresql import insert

from models.journeys import DecisionRow, Enrolment, FactRow
from nurture.journey.decision import AnyNext, Finish, Park
from nurture.journey.facts import AnyFact, Fact
from nurture.journey.wording import say_next
from perennial.platform.database import Transaction, connection_of, upsert_ignore

FACT: TypeAdapter[AnyFact] = TypeAdapter(Fact)

# Built once, in Core: making a statement costs more than running it on SQLite, and a journey runs a few hundred.
_HEAD = ("because", "status", "next_at", "listens", "wakes_at_score", "step", "outcome", "ended_at")
_ENROLMENTS = cast("Table", Enrolment.__table__)
_INSERT_FACTS = upsert_ignore(FactRow)
_FACTS = cast("Table", FactRow.__table__)
_DECISIONS = cast("Table", DecisionRow.__table__)
_FORGET_FACTS = _FACTS.delete().where(
    _FACTS.c.enrolment_id == bindparam("enrolment"),
    _FACTS.c.seq >= bindparam("first"),
    ~exists().where(_DECISIONS.c.enrolment_id == bindparam("enrolment"), _DECISIONS.c.seq > bindparam("decided_at")),
)
_FRESH = insert(_DECISIONS)  # PostgreSQL's construct, which SQLite's compiler understands too
_WRITE_DECISION = _FRESH.on_conflict_do_update(
    index_elements=["enrolment_id", "seq"],
    set_={name: _FRESH.excluded[name] for name in ("at", "next", "until", "because")},
)
_UPDATE_HEAD = (
    _ENROLMENTS.update()
    .where(_ENROLMENTS.c.id == bindparam("the_id"))
    .values({name: bindparam(f"new_{name}", type_=_ENROLMENTS.c[name].type) for name in _HEAD})
)


async def write_facts(transaction: Transaction, enrolment_id: str, first: int, facts: Sequence[AnyFact]) -> None:
    """Write facts `first`, `first + 1`, ... of a journal; those already there stay as they are."""
    if not facts:
        return
    rows = [
        {
            "enrolment_id": enrolment_id,
            "seq": first + offset,
            "kind": fact.kind,
            "key": getattr(fact, "key", ""),
            "at": fact.at,
            "fact": FACT.dump_python(fact, mode="json", exclude_defaults=True) | {"kind": fact.kind},
        }
        for offset, fact in enumerate(facts)
    ]
    await (await connection_of(transaction)).execute(_INSERT_FACTS, rows)


async def forget_facts(transaction: Transaction, enrolment_id: str, first: int, *, decided_at: int) -> None:
    """Delete facts `first`, ... of a journal that an earlier try of the decision after `decided_at` facts left behind.

    A worker can die after its commit, and the next one decide with other code. If a decision after more facts is there,
    this try is late and the journal has gone on without it: delete nothing.
    """
    connection = await connection_of(transaction)
    await connection.execute(_FORGET_FACTS, {"enrolment": enrolment_id, "first": first, "decided_at": decided_at})


async def write_decision(  # noqa: PLR0917 - the row's own order
    transaction: Transaction, enrolment_id: str, seq: int, at: datetime, following: AnyNext, because: Sequence[str]
) -> None:
    """Write the decision taken after `seq` facts, in place of an earlier one after as many: code and time move on."""
    row = {
        "enrolment_id": enrolment_id,
        "seq": seq,
        "at": at,
        "next": say_next(following),
        "until": following.until if isinstance(following, Park) else None,
        "because": list(because),
    }
    await (await connection_of(transaction)).execute(_WRITE_DECISION, row)


async def write_head(
    transaction: Transaction, enrolment_id: str, at: datetime, following: AnyNext, because: Sequence[str]
) -> None:
    """Write where an enrolment stands and what wakes it: everything, unless it is parked. The caller locks the lead."""
    values: dict[str, Any] = dict.fromkeys(_HEAD)
    values |= {"because": list(because), "status": "active", "next_at": at}
    match following:
        case Finish():
            values |= {
                "status": "finished",
                "step": "finished",
                "outcome": following.outcome,
                "ended_at": at,
                "next_at": None,
            }
        case Park():
            values |= {
                "step": following.key,
                "next_at": following.until,
                "listens": list(following.listens),
                "wakes_at_score": following.wakes_at_score,
            }
            if following.why in {"paused", "held"}:
                values["status"] = following.why
        case _:
            values |= {"step": following.key}
    connection = await connection_of(transaction)
    await connection.execute(
        _UPDATE_HEAD, {f"new_{name}": value for name, value in values.items()} | {"the_id": enrolment_id}
    )
