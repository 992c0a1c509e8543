"""Statements straight on the driver: the values of SQLAlchemy's own, on both databases, and errors without values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import bindparam, exc, select

from models.journeys import Enrolment
from models.leads import LeadRow, ScoreEntry
from nurture.people.scoring import ScoreLine
from perennial.leads.scores import write_entries
from perennial.platform.database import Database, upsert_ignore
from perennial.platform.database_errors import explain_database_error
from perennial.platform.prepared import Prepared, any_of
from tests.builders import NOON, ada, enrolment, store

COLUMNS = (
    LeadRow.id,
    LeadRow.traits,
    LeadRow.created_at,
    LeadRow.erased_at,
    Enrolment.because,
    Enrolment.length,
    ScoreEntry.points,
)
EVERYTHING = (
    select(*COLUMNS)
    .join(Enrolment, Enrolment.lead_id == LeadRow.id)
    .join(ScoreEntry, ScoreEntry.lead_id == LeadRow.id)
    .where(LeadRow.id == bindparam("lead"), any_of(Enrolment.status, ("active", "paused")))
)


@pytest.fixture
async def house(database: Database) -> Database:
    """Ada on a track, with a score."""
    await store(database, ada(), enrolment(because=["said", "so"]))
    async with database.transaction() as connection:
        await write_entries(connection, [("l1", ScoreLine("fit", 5, "fits", NOON, ""))])
    return database


@pytest.mark.parametrize("begun", [False, True], ids=["as the first statement", "in a transaction under way"])
async def test_a_prepared_select_gives_what_sqlalchemy_gives(house: Database, *, begun: bool) -> None:
    """JSON, moments with their zone, numbers and NULL alike."""
    async with house.transaction() as connection:
        expected = [tuple(row) for row in await connection.execute(EVERYTHING, {"lead": "l1"})] if begun else None
        found = await Prepared(EVERYTHING).rows(connection, {"lead": "l1"})
        again = [tuple(row) for row in await connection.execute(EVERYTHING, {"lead": "l1"})]
    assert found == (expected or again) == again
    assert len(found) == 1
    assert found[0][2].tzinfo is UTC


async def test_a_prepared_write_is_part_of_the_transaction(house: Database) -> None:
    """It is gone with a transaction that fails, and stays with one that does not."""
    table = LeadRow.__table__
    rename = Prepared(table.update().where(table.c.id == bindparam("lead")).values(company=bindparam("new")))  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError):  # noqa: PT012 - the transaction ends with what is raised in it
        async with house.transaction() as connection:
            await rename.run(connection, {"lead": "l1", "new": "Nowhere"})
            raise RuntimeError
    async with house.transaction() as connection:
        assert await connection.scalar(select(LeadRow.company)) != "Nowhere"
        await rename.run(connection, {"lead": "l1", "new": "Somewhere"})
    async with house.reading() as session:
        assert await session.scalar(select(LeadRow.company)) == "Somewhere"


async def test_an_error_of_the_driver_comes_as_sqlalchemys_without_values(house: Database) -> None:
    """The transaction ends, the connection goes on."""
    columns = ("id", "lead_id", "track", "number", "status", "cause", "priority", "step", "because", "started_at")
    again = Prepared(Enrolment.__table__.insert(), (*columns, "length", "digest"))  # type: ignore[attr-defined]
    row = {"id": "secret-id", "lead_id": "l1", "track": "new-lead", "number": 1, "status": "active", "cause": "secret"}
    row |= {"priority": 0, "step": "", "because": [], "started_at": datetime.now(UTC), "length": 0, "digest": ""}
    with pytest.raises(exc.DBAPIError) as caught:  # noqa: PT012 - the transaction ends with what is raised in it
        async with house.transaction() as connection:
            await connection.execute(select(LeadRow.id))
            await again.run(connection, row)
    assert "secret" not in str(caught.value)
    assert "secret" not in str(explain_database_error(caught.value))
    async with house.transaction() as connection:
        assert await Prepared(select(LeadRow.id)).rows(connection, {}) == [("l1",)]


async def test_an_insert_that_leaves_a_default_to_python_is_refused(house: Database) -> None:
    """Prepared, it would be missing."""
    async with house.transaction() as connection:
        with pytest.raises(AssertionError, match="names all its columns"):
            await Prepared(upsert_ignore(Enrolment), ("id", "lead_id")).run(connection, {"id": "x", "lead_id": "l1"})
