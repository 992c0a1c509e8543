"""What reading, writing and inserting promise, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from models.leads import LeadRow, Suppression
from models.shared import ClockRow
from models.touches import Touch
from perennial.leads.lock import lock_lead
from perennial.platform.database import Database, upsert_ignore
from tests.builders import NOON, ada, count, store, touch, touch_values


async def test_a_block_that_raises_leaves_nothing_behind(database: Database) -> None:
    """What was written before the error is rolled back, and the next block works."""

    async def interrupted() -> None:
        async with database.writing() as session:
            session.add(ada())
            await session.flush()
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        await interrupted()
    assert await count(database, LeadRow) == 0

    async with database.writing() as session:
        session.add(ada())
    assert await count(database, LeadRow) == 1


async def test_objects_can_be_read_after_their_transaction(database: Database) -> None:
    """Commit does not expire them; reading a field needs no second query."""
    async with database.writing() as session:
        lead = ada()
        session.add(lead)

    assert lead.email == "Ada@example.com"


async def test_reading_refuses_to_write(enrolled: Database) -> None:
    """A write that would be thrown away at the end of the block is an error at once."""
    async with enrolled.reading() as session:
        with pytest.raises(SQLAlchemyError):
            await session.execute(update(LeadRow).values(score=99))


async def test_a_reader_sees_one_snapshot_and_waits_for_no_writer(enrolled: Database) -> None:
    """Two queries of one block agree although a writer commits between them."""
    async with enrolled.reading() as reader:
        before = await reader.scalar(select(LeadRow.score))
        async with enrolled.writing() as writer:
            await writer.execute(update(LeadRow).values(score=42))
        assert await reader.scalar(select(LeadRow.score)) == before == 0

    async with enrolled.reading() as reader:
        assert await reader.scalar(select(LeadRow.score)) == 42


async def add_one(database: Database) -> None:
    """Read, then write what follows from it: a lost update or a lock error shows."""
    async with database.writing() as session:
        await lock_lead(session, "l1")
        score = await session.scalar(select(LeadRow.score).where(LeadRow.id == "l1"))
        await session.execute(update(LeadRow).values(score=(score or 0) + 1))


async def test_concurrent_writers_wait_for_each_other_and_lose_nothing(enrolled: Database) -> None:
    """Fifty coroutines raise one score by one each; under the lock none reads what another is changing."""
    await asyncio.gather(*(add_one(enrolled) for _ in range(50)))

    async with enrolled.reading() as session:
        assert await session.scalar(select(LeadRow.score)) == 50


async def test_two_processes_worth_of_writers_do_not_meet_a_locked_database(
    enrolled: Database, migrated_url: str
) -> None:
    """A worker and a command share the database without sharing a lock of ours."""
    other = Database(migrated_url)
    try:
        await asyncio.gather(*(add_one(database) for _ in range(15) for database in (enrolled, other)))
    finally:
        await other.close()

    async with enrolled.reading() as session:
        assert await session.scalar(select(LeadRow.score)) == 30


async def test_a_cancelled_writer_leaves_no_lock_behind(enrolled: Database) -> None:
    """An activity that times out in the middle of its transaction does not stop the others."""
    for turns in range(12):
        writer = asyncio.create_task(add_one(enrolled))
        for _ in range(turns):
            await asyncio.sleep(0)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)

    async with enrolled.writing() as session:
        await session.execute(update(LeadRow).values(score=7))
    async with enrolled.reading() as session:
        assert await session.scalar(select(LeadRow.score)) == 7


@pytest.mark.parametrize("turns", range(0, 24, 2))
async def test_wherever_a_writer_is_cancelled_the_next_one_gets_its_turn(enrolled: Database, turns: int) -> None:
    """Also when it is cancelled a second time while it cleans up, and while another process was writing."""
    other = Database(enrolled.url.render_as_string(hide_password=False))

    async def write(database: Database) -> None:
        async with database.transaction() as connection:
            await lock_lead(connection, "l1")
            await connection.execute(update(LeadRow).values(score=LeadRow.score + 1))

    try:
        for database in (enrolled, other):
            async with other.transaction() as writing:
                await lock_lead(writing, "l1")
                waiting = asyncio.create_task(write(enrolled))
                await _turns(turns)
                waiting.cancel()
            running = asyncio.create_task(write(database))
            await _turns(turns)
            running.cancel()
            await _turns(1)
            running.cancel()
            await asyncio.gather(waiting, running, return_exceptions=True)
            async with asyncio.timeout(5):
                await write(enrolled)
    finally:
        await other.close()


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_file_that_another_program_holds_is_an_error_of_the_database(
    enrolled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is known and worded, once the patience is over; afterwards all is well."""
    monkeypatch.setattr("perennial.platform.database.BUSY_SECONDS", 0.02)
    waiting = Database(enrolled.url.render_as_string(hide_password=False))
    try:
        async with enrolled.transaction():
            with pytest.raises(OperationalError, match="database is locked"):
                async with waiting.transaction():
                    pass
        async with waiting.transaction() as connection:
            await connection.execute(update(LeadRow).values(score=1))
    finally:
        await waiting.close()


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("backend", ["postgresql"])
async def test_a_locked_lead_still_takes_new_rows_that_refer_to_it(enrolled: Database) -> None:
    """A webhook stores a behaviour or an opt-out while a send holds the lead."""
    async with enrolled.writing() as sending:
        await lock_lead(sending, "l1")
        async with enrolled.writing() as webhook:
            await webhook.execute(text("SET LOCAL lock_timeout = '2s'"))
            webhook.add(Suppression(lead_id="l1", reason="opt-out", source="link", at=NOON))

    assert await count(enrolled, Suppression) == 1


async def test_the_database_can_be_used_again_after_it_was_closed(database: Database) -> None:
    """Closing ends the connections, not the object."""
    assert await count(database, LeadRow) == 0
    await database.close()
    assert await count(database, LeadRow) == 0


async def test_upsert_ignore_says_whether_the_row_went_in(enrolled: Database) -> None:
    """The second claim of a step finds it taken: that is how a send is not repeated."""
    async with enrolled.writing() as session:
        first = await session.execute(upsert_ignore(Touch, touch_values("t1")))
        second = await session.execute(upsert_ignore(Touch), touch_values("t2"))
        third = await session.execute(upsert_ignore(Touch), touch_values("t3", step_key="send:case-study"))

    assert [result.rowcount for result in (first, second, third)] == [1, 0, 1]  # type: ignore[attr-defined]


async def test_upsert_ignore_counts_and_names_the_rows_that_went_in(enrolled: Database) -> None:
    """Of three rows two are new; the old one stays as it was."""
    rows = [touch_values("t1"), touch_values("t2", step_key="send:tip"), touch_values("t3", step_key="send:offer")]
    async with enrolled.writing() as session:
        session.add(touch("t0"))
    async with enrolled.writing() as session:
        added = await session.execute(upsert_ignore(Touch, rows).returning(Touch.id))

    assert sorted(added.scalars()) == ["t2", "t3"]
    assert await count(enrolled, Touch) == 3


async def test_upsert_ignore_takes_any_number_of_rows_and_fills_in_defaults(database: Database) -> None:
    """Twice five thousand leads are five thousand leads."""
    leads = [{"id": f"l{n}", "email": f"{n}@x.org", "email_key": f"{n}@x.org", "created_at": NOON} for n in range(5000)]
    for _ in range(2):
        async with database.writing() as session:
            await session.execute(upsert_ignore(LeadRow), leads)

    assert await count(database, LeadRow) == 5000
    async with database.reading() as session:
        assert await session.scalar(select(LeadRow.stage).where(LeadRow.id == "l4999")) == "awareness"


async def test_upsert_ignore_still_refuses_a_row_that_lacks_a_value(database: Database) -> None:
    """Only conflicts are ignored; SQLite's own OR IGNORE would swallow this."""
    with pytest.raises(IntegrityError):
        async with database.writing() as session:
            await session.execute(upsert_ignore(LeadRow, {"id": "l1", "email_key": "k", "created_at": NOON}))


def test_upsert_ignore_refuses_an_empty_list() -> None:
    """An INSERT without a row would insert defaults."""
    with pytest.raises(ValueError, match="needs a row"):
        upsert_ignore(LeadRow, [])


def test_upsert_ignore_is_one_sql_on_both_databases() -> None:
    """PostgreSQL's construct is compiled for SQLite; this notices if SQLAlchemy stops allowing it."""
    statement = upsert_ignore(ClockRow)

    for dialect in (SQLiteDialect, PGDialect):
        assert str(statement.compile(dialect=dialect())).endswith("ON CONFLICT DO NOTHING")


async def test_a_log_that_somebody_reads_all_the_time_is_not_empty(database: Database) -> None:
    """On SQLite it may still hold what was deleted, and says so; once nobody reads, it is emptied."""
    async with database.reading() as session:
        await session.execute(select(LeadRow))
        await store(database, ada())
        assert await database.truncate_log(seconds=0.05) is not database.is_sqlite
    assert await database.truncate_log()
    if database.is_sqlite:
        assert Path(f"{database.url.database}-wal").stat().st_size == 0
