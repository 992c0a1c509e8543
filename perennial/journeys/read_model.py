"""The read model of the journals: facts, decisions, and the head of each enrolment.

The workflow's journal is the truth. It knows how many facts are here and their digest; what is here beyond is what a
try has committed whose answer the workflow never got (`perennial.journeys.adopting`).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, cast

from pydantic import TypeAdapter
from sqlalchemy import Table, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from models.journeys import DecisionRow, Enrolment, FactRow
from nurture.journey.decision import AnyNext, Finish, Park
from nurture.journey.facts import AnyFact, Fact
from nurture.journey.wording import say_next
from perennial.platform.database import Transaction, connection_of, upsert_ignore
from perennial.platform.prepared import Prepared

FACT: TypeAdapter[AnyFact] = TypeAdapter(Fact)

# Built once, in Core: making a statement costs more than running it on SQLite, and a journey runs a few hundred.
_HEAD = (
    "because",
    "status",
    "next_at",
    "listens",
    "wakes_at_score",
    "step",
    "outcome",
    "ended_at",
    "stuck_since",
    "stuck",
)
_ENROLMENTS = cast("Table", Enrolment.__table__)
_INSERT_FACTS = Prepared(upsert_ignore(FactRow), ("enrolment_id", "seq", "kind", "key", "at", "fact"))
_FACTS = cast("Table", FactRow.__table__)
_DECISIONS = cast("Table", DecisionRow.__table__)
_FORGET_FACTS = _FACTS.delete().where(
    _FACTS.c.enrolment_id == bindparam("enrolment"), _FACTS.c.seq >= bindparam("first")
)
_FACTS_FROM = Prepared(
    select(_FACTS.c.fact)
    .where(_FACTS.c.enrolment_id == bindparam("enrolment"), _FACTS.c.seq >= bindparam("first"))
    .order_by(_FACTS.c.seq)
)
_FRESH = insert(_DECISIONS)  # PostgreSQL's construct, which SQLite's compiler understands too
_WRITE_DECISION = Prepared(
    _FRESH.on_conflict_do_update(
        index_elements=["enrolment_id", "seq"],
        set_={name: _FRESH.excluded[name] for name in ("at", "next", "until", "because")},
    ),
    ("enrolment_id", "seq", "at", "next", "until", "because"),
)
_POSITION = ("length", "digest")


def _update(names: Iterable[str]) -> Prepared:
    new = {name: bindparam(f"new_{name}", type_=_ENROLMENTS.c[name].type) for name in names}
    return Prepared(_ENROLMENTS.update().where(_ENROLMENTS.c.id == bindparam("the_id")).values(new))


_UPDATE_HEAD = _update((*_HEAD, "open_touch"))
_UPDATE_HEAD_AND_POSITION = _update((*_HEAD, "open_touch", *_POSITION))
_UPDATE_OPEN_TOUCH = _update(("open_touch",))


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a journey is stuck for, and since when. `text` stays in the database: it may quote what the code read."""

    since: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Position:
    """How far a journal is in the read model: how many facts the workflow knows of there, and their digest."""

    length: int
    digest: str

    def after(self, facts: Sequence[AnyFact]) -> "Position":
        """The position once these facts are there too."""
        found = self.digest
        for fact in facts:
            found = blake2b(f"{found}{_text_of(fact)}".encode(), digest_size=8).hexdigest()
        return Position(self.length + len(facts), found)


def _row_of(fact: AnyFact) -> dict[str, Any]:
    row: dict[str, Any] = FACT.dump_python(fact, mode="json", exclude_defaults=True)
    return row | {"kind": fact.kind}


def _text_of(fact: AnyFact) -> str:
    return json.dumps(_row_of(fact), sort_keys=True, separators=(",", ":"))


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
            "fact": _row_of(fact),
        }
        for offset, fact in enumerate(facts)
    ]
    await _INSERT_FACTS.run_many(await connection_of(transaction), rows)


async def facts_from(transaction: Transaction, enrolment_id: str, first: int) -> list[AnyFact]:
    """The facts `first`, ... that are there."""
    connection = await connection_of(transaction)
    rows = await _FACTS_FROM.rows(connection, {"enrolment": enrolment_id, "first": first})
    return [FACT.validate_python(fact) for (fact,) in rows]


async def forget_facts(transaction: Transaction, enrolment_id: str, first: int) -> None:
    """Delete the facts `first`, ... of a journal."""
    connection = await connection_of(transaction)
    await connection.execute(_FORGET_FACTS, {"enrolment": enrolment_id, "first": first})


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
    await _WRITE_DECISION.run(await connection_of(transaction), row)


async def write_head(
    transaction: Transaction,
    enrolment_id: str,
    at: datetime,
    following: AnyNext,
    because: Sequence[str],
    *,
    position: Position | None = None,
    open_touch: str | None = None,
    trouble: Trouble | None = None,
) -> None:
    """Write where an enrolment stands and what wakes it: everything, unless it is parked. The caller locks the lead.

    `position` is written by `advance` alone. `open_touch` is a send that is begun with it, `trouble` what it is stuck
    for.
    """
    values: dict[str, Any] = dict.fromkeys(_HEAD)
    values |= {"because": list(because), "status": "active", "next_at": at, "open_touch": open_touch}
    if trouble is not None:
        values |= {"stuck_since": trouble.since, "stuck": trouble.text}
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
    statement = _UPDATE_HEAD
    if position is not None:
        statement = _UPDATE_HEAD_AND_POSITION
        values |= {"length": position.length, "digest": position.digest}
    connection = await connection_of(transaction)
    await statement.run(connection, {f"new_{name}": value for name, value in values.items()} | {"the_id": enrolment_id})


async def write_open_touch(transaction: Transaction, enrolment_id: str, touch_id: str | None) -> None:
    """Note that a send is under way, or with None that its outcome is recorded."""
    connection = await connection_of(transaction)
    await _UPDATE_OPEN_TOUCH.run(connection, {"new_open_touch": touch_id, "the_id": enrolment_id})
