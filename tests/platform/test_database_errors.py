"""What goes wrong with a database is said in one line, without personal data."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from models.leads import LeadRow
from nurture.errors import SettingsError
from perennial.platform.database import Database, parse_url, sqlite_engine
from perennial.platform.database_errors import explain_database_error, place_of
from perennial.platform.migrations import migration_connection
from tests.builders import ada, count, granted

SECRET = "ada.lovelace@example.com"


async def twice(database: Database) -> None:
    async with database.writing() as session:
        session.add_all([ada(email_key=SECRET), ada(lead_id="l2", email_key=SECRET)])


async def missing_value(database: Database) -> None:
    async with database.writing() as session:
        session.add(ada(email=SECRET, created_at=None))


async def unknown_lead(database: Database) -> None:
    async with database.writing() as session:
        session.add(granted(SECRET))


async def wrong_type(database: Database) -> None:
    async with database.writing() as session:
        session.add(ada(score=[SECRET]))


async def wrong_cast(database: Database) -> None:
    async with database.writing() as session:
        await session.execute(
            text("SELECT CAST(CAST(:it AS text) AS integer) + json_array_length(:it)"), {"it": SECRET}
        )


@pytest.mark.parametrize("mistake", [twice, missing_value, unknown_lead, wrong_type, wrong_cast])
async def test_no_error_quotes_a_row(database: Database, mistake: Callable[[Database], Awaitable[None]]) -> None:
    """Nothing of a lead reaches a log, neither in the error nor in those it was raised from."""
    with pytest.raises(DBAPIError) as raised:
        await mistake(database)

    everything = "".join(traceback.TracebackException.from_exception(raised.value).format(chain=True))
    everything += repr(raised.value) + repr(raised.value.orig) + str(explain_database_error(raised.value))
    assert SECRET not in everything.replace(f'SECRET = "{SECRET}"', "")


async def provoked(url: str, *pragmas: str, statement: str) -> SettingsError:
    """The explanation of what `statement` meets on an SQLite file opened with `pragmas`."""
    engine = sqlite_engine(parse_url(url), "BEGIN IMMEDIATE", *pragmas)
    try:
        async with engine.begin() as connection:
            await connection.execute(text(statement))
    except SQLAlchemyError as error:
        return explain_database_error(error, parse_url(url))
    finally:
        await engine.dispose()
    raise AssertionError("the statement was expected to fail")


FILL = "CREATE TABLE big AS SELECT randomblob(1000000) AS b"


@pytest.mark.parametrize(
    ("pragmas", "statement", "remedy"),
    [
        (["max_page_count=1"], FILL, "the disk is full: free some space"),
        (["query_only=ON"], FILL, "read-only: make the file and its folder writable"),
        ([], "SELECT * FROM leads_of_tomorrow", r"behind this version of Perennial: run `python starter.py migrate`"),
        ([], "SELECT colour FROM leads", r"behind this version of Perennial: run `python starter.py migrate`"),
    ],
)
@pytest.mark.parametrize("backend", ["sqlite"])
async def test_each_trouble_with_the_file_is_one_line_with_its_remedy(
    migrated_url: str, pragmas: list[str], statement: str, remedy: str
) -> None:
    """A full disk, a read-only file, a missing table or column."""
    explained = str(await provoked(migrated_url, *pragmas, statement=statement))

    assert remedy in explained
    assert explained.startswith(place_of(parse_url(migrated_url)))
    assert "\n" not in explained


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_locked_file_is_said_to_be_locked(migrated_url: str) -> None:
    """Somebody has the file open in another program and does not let go."""
    async with migration_connection(migrated_url) as holder, holder.begin():
        await holder.execute(text("UPDATE clock SET speed = 1"))
        explained = str(await provoked(migrated_url, "busy_timeout=1", statement="SELECT 1"))

    assert "locked by another program: close it" in explained


@pytest.mark.parametrize("backend", ["postgresql"])
async def test_a_missing_table_on_the_server_means_that_migrations_are_behind(database: Database) -> None:
    """The same remedy as on SQLite."""
    with pytest.raises(SQLAlchemyError) as raised:
        async with database.reading() as session:
            await session.execute(text("SELECT * FROM leads_of_tomorrow"))

    assert "behind this version of Perennial" in str(explain_database_error(raised.value))


async def test_a_database_without_a_file_says_so_and_makes_none(tmp_path: Any) -> None:
    """A worker with a mistyped path does not start on an empty database."""
    database = Database(f"sqlite:///{tmp_path / 'mistyped.db'}")
    with pytest.raises(SQLAlchemyError) as raised:
        await count(database, LeadRow)
    await database.close()

    said = str(explain_database_error(raised.value, database.url))
    assert "cannot be opened: run `python starter.py migrate`" in said
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_error_is_explained_by_its_name_only() -> None:
    """Its text might quote a row."""
    explained = str(explain_database_error(sqlite3.DatabaseError(SECRET)))

    assert "DatabaseError" in explained
    assert SECRET not in explained


@pytest.mark.parametrize(
    ("given_url", "driver"),
    [
        ("sqlite:///a.db", "sqlite+aiosqlite"),
        ("postgres://me@host/name", "postgresql+asyncpg"),
        ("postgresql://me@host/name", "postgresql+asyncpg"),
        ("postgresql+asyncpg://me@host/name", "postgresql+asyncpg"),
    ],
)
def test_short_addresses_get_their_driver(given_url: str, driver: str) -> None:
    """People write what their hosting shows them."""
    assert parse_url(given_url).drivername == driver


def test_libpq_spells_encryption_differently() -> None:
    """Hosted servers give out `sslmode=require`, which asyncpg calls `ssl`."""
    assert dict(parse_url("postgresql://me@host/name?sslmode=require").query) == {"ssl": "require"}


@pytest.mark.parametrize(
    "bad", ["mysql://me@host/name", "postgresql+psycopg://me@host/x", "sqlite://", "sqlite:///:memory:", "nonsense"]
)
def test_other_addresses_are_refused_with_an_example(bad: str) -> None:
    """One line that shows what to write."""
    with pytest.raises(SettingsError, match="sqlite:///"):
        Database(bad)


def test_a_database_shows_its_address_without_the_password() -> None:
    """It may be logged."""
    shown = repr(Database("postgresql://me:secret@host/name"))

    assert "me:***@host" in shown
    assert "secret" not in shown
