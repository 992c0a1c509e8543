"""The read model of the journals: facts, decisions, and the head of each enrolment."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import delete, exists, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.tables import DecisionRow, Enrolment, FactRow
from nurture.decision import AnyNext, Finish, Park
from nurture.explain import say_next
from nurture.facts import AnyFact, Fact
from wiring.database import upsert_ignore

FACT: TypeAdapter[AnyFact] = TypeAdapter(Fact)


async def write_facts(session: AsyncSession, enrolment_id: str, first: int, facts: Sequence[AnyFact]) -> None:
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
    await session.execute(upsert_ignore(FactRow, rows))


async def rewrite_facts(
    session: AsyncSession, enrolment_id: str, first: int, facts: Sequence[AnyFact], *, decided_at: int
) -> None:
    """Write facts `first`, ... of a journal in place of any there: what an earlier try of the decision left may differ.

    A worker can die after its commit, and the next one decide with other code. Not if a decision after more than
    `decided_at` facts is there: then this one is a straggler, and the journal has gone on without it.
    """
    later = exists().where(DecisionRow.enrolment_id == enrolment_id, DecisionRow.seq > decided_at)
    await session.execute(
        delete(FactRow).where(FactRow.enrolment_id == enrolment_id, FactRow.seq >= first, ~later),
        execution_options={"synchronize_session": False},
    )
    await write_facts(session, enrolment_id, first, facts)


async def write_decision(  # noqa: PLR0917 - the row's own order
    session: AsyncSession, enrolment_id: str, seq: int, at: datetime, following: AnyNext, because: Sequence[str]
) -> None:
    """Write down a decision taken after `seq` facts, in place of one taken after as many: code and time move on."""
    until = following.until if isinstance(following, Park) else None
    row = {
        "enrolment_id": enrolment_id,
        "seq": seq,
        "at": at,
        "next": say_next(following),
        "until": until,
        "because": list(because),
    }
    # PostgreSQL's construct, which SQLite's compiler understands too.
    fresh = insert(DecisionRow).values(row)
    changed = {name: fresh.excluded[name] for name in row if name not in ("enrolment_id", "seq")}
    await session.execute(fresh.on_conflict_do_update(index_elements=["enrolment_id", "seq"], set_=changed))


async def write_head(
    session: AsyncSession, enrolment_id: str, at: datetime, following: AnyNext, because: Sequence[str]
) -> None:
    """Say where an enrolment stands, and what wakes it: everything, unless it is parked. The caller locks the lead."""
    values: dict[str, object] = {
        "because": list(because),
        "status": "active",
        "next_at": at,
        "listens": None,
        "wakes_at_score": None,
    }
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
            if following.why == "paused":
                values["status"] = "paused"
        case _:
            values |= {"step": following.key}
    await session.execute(update(Enrolment).where(Enrolment.id == enrolment_id).values(values))
