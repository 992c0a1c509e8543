"""The database: one writer at a time on SQLite, a pool on PostgreSQL, and the same calls for both."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Insert, NullPool, event, exc, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from models.tables import Base
from nurture.errors import SettingsError
from perennial.platform.database_errors import hide_values
from perennial.platform.sqlite_driver import LONGEST_PAUSE, InlineConnection, connect

T = TypeVar("T")
Row = Mapping[str, Any]
Transaction = AsyncSession | AsyncConnection
"""One under way: a session's, or a plain one of `Database.transaction`."""


_ANNOUNCE = text("SELECT set_config('synchronous_commit', 'off', true), pg_notify(:channel, '')")

MOST_VALUES = 1_000
BUSY_SECONDS = 10.0
LOCK_SECONDS = 10.0
IDLE_SECONDS = 60.0
REST_SECONDS = 5.0
CONNECT_SECONDS = 10.0
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


class Database:
    """Transactions on the database at `url`, which must be migrated (`perennial.platform.migrations`).

    `url` is `sqlite+aiosqlite:///path/file.db` or `postgresql+asyncpg://user:password@host/name`; the short
    forms `sqlite:///` and `postgresql://` mean the same. Opens nothing until it is used. Raises
    `SettingsError` for any other URL. Errors of the database itself come as SQLAlchemy raises them, with
    no values in their text; `explain_database_error` words them for a person.
    """

    def __init__(self, url: str, *, connections: int = 10, lock_seconds: float = LOCK_SECONDS) -> None:
        self.url = parse_url(url)
        self.is_sqlite = is_sqlite(self.url)
        if self.is_sqlite:
            # Coroutines queue here, in order, and not in SQLite's busy wait, which blocks and is unfair.
            self._turn: AbstractAsyncContextManager[Any] = asyncio.Lock()
            self._writer = sqlite_engine(self.url, "BEGIN IMMEDIATE", connections=1)
            self._reader = sqlite_engine(self.url, "BEGIN", "query_only=ON", connections=connections)
        else:
            self._turn = nullcontext()
            limits = {"lock_timeout": lock_seconds, "idle_in_transaction_session_timeout": IDLE_SECONDS}
            self._writer = postgres_engine(self.url, limits, pool_size=connections, pool_recycle=1800)
            self._reader = self._writer.execution_options(
                isolation_level="REPEATABLE READ",  # one snapshot, as on SQLite
                postgresql_readonly=True,
            )
        self._to_announce: set[str] = set()
        self._announcing: asyncio.Task[None] | None = None
        self._write = async_sessionmaker(self._writer, expire_on_commit=False)
        self._read = async_sessionmaker(self._reader, expire_on_commit=False)

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r})"

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end of the block, rolled back if the block raises.

        On SQLite it holds the write lock, and other `writing()` blocks of this
        object wait for its end: keep the network out of it.
        """
        async with self._turn, self._write() as session, session.begin():
            await self._begin(await session.connection())
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """As `writing`, without the ORM, which is half the cost of what runs for every step of every journey."""
        async with self._turn, self._writer.begin() as connection:
            await self._begin(connection)
            yield connection

    async def _begin(self, connection: AsyncConnection) -> None:
        """Wait here for the write lock, where giving up harms nothing."""
        if self.is_sqlite:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, InlineConnection)
            try:
                await driver.begin()
            except sqlite3.OperationalError as error:  # as SQLAlchemy raises what a statement raises
                raise exc.OperationalError("BEGIN", None, error, hide_parameters=True) from error

    def announce(self, channel: str) -> None:
        """Wake who listens on a PostgreSQL channel, soon after a commit; many calls in a row are one.

        NOTIFY takes a lock until its transaction has ended: within those that store, they would commit one by one.
        """
        if self.is_sqlite:
            return
        self._to_announce.add(channel)
        if self._announcing is None or self._announcing.done():
            self._announcing = asyncio.create_task(self._announce())

    async def _announce(self) -> None:
        while self._to_announce:
            channels = sorted(self._to_announce)
            self._to_announce.clear()
            try:
                async with self._writer.begin() as connection:
                    for channel in channels:
                        await connection.execute(_ANNOUNCE, {"channel": channel})
            except (exc.SQLAlchemyError, OSError):
                continue  # a hint: who listens also looks

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """One snapshot of the database; a write in it is refused. Never waits for a writer."""
        async with self._read() as session:
            yield session

    async def truncate_log(self, seconds: float = BUSY_SECONDS) -> bool:
        """Empty SQLite's write-ahead log, which holds what was deleted until it is written over; False if it is in use.

        Nothing to do on PostgreSQL, whose log is for the operator to rotate.
        """
        if not self.is_sqlite:
            return True
        until = time.monotonic() + seconds
        while True:
            async with self._turn, self._writer.connect() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                assert isinstance(driver, InlineConnection)
                busy, *_ = driver.sqlite.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy or time.monotonic() > until:
                return not busy
            await asyncio.sleep(LONGEST_PAUSE)

    async def close(self) -> None:
        """Close every connection; the object can be used again and then opens new ones."""
        if self._announcing is not None:
            await self._announcing
        await self._reader.dispose()
        await self._writer.dispose()


def upsert_ignore(table: type[Base], rows: Row | Sequence[Row] | None = None) -> Insert:
    """INSERT .. ON CONFLICT DO NOTHING: rows that break no unique constraint go in, the others are left out.

    Fastest without `rows`: `(await session.execute(upsert_ignore(Touch), row)).rowcount` is 1 or 0; a list of
    any length goes in as `session.execute(upsert_ignore(Lead), rows)`, but then nobody counts. With a few
    `rows` (32,000 values altogether) `rowcount` counts them, and `.returning(Lead.id)` names them. A missing
    value still raises, a missing foreign key at commit. Raises `ValueError` for an empty list.
    """
    if rows is None:
        return _insert_missing(table)
    if not rows:
        raise ValueError("upsert_ignore needs a row; with none there is nothing to insert")
    return _insert_missing(table).values(rows)


@cache
def _insert_missing(table: type[Base]) -> Insert:
    # PostgreSQL's construct also compiles for SQLite as long as it names no constraint: one spelling. The
    # table instead of its class spares the ORM's work for each row.
    return insert(table.metadata.tables[table.__tablename__]).on_conflict_do_nothing()


def in_parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values in parts that fit into one statement: both databases take some 32,000 values in one."""
    for start in range(0, len(values), MOST_VALUES):
        yield values[start : start + MOST_VALUES]


async def connection_of(transaction: Transaction) -> AsyncConnection:
    """The connection that a transaction runs on."""
    return transaction if isinstance(transaction, AsyncConnection) else await transaction.connection()


def parse_url(text: str) -> URL:
    """The URL with its async driver; raises `SettingsError` for what is neither SQLite nor PostgreSQL."""
    try:
        url = make_url(text)
    except exc.ArgumentError:
        raise SettingsError("the database URL cannot be read: write sqlite:///perennial.db") from None
    driver = DRIVERS.get(url.drivername)
    if driver is None:
        raise SettingsError(
            f"the database URL starts with {url.drivername}: use sqlite:///file.db or postgresql://user@host/name"
        )
    url = url.set(drivername=driver)
    if is_sqlite(url) and (not url.database or ":memory:" in url.database):
        raise SettingsError("the database URL names no file: write sqlite:///perennial.db")
    if not is_sqlite(url) and "sslmode" in url.query:  # libpq's name for what asyncpg calls ssl
        url = url.update_query_dict({"ssl": url.query["sslmode"]}).difference_update_query(["sslmode"])
    return url


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def sqlite_address(url: URL, mode: str) -> str:
    """SQLite's URI for the file of a URL."""
    return f"file:{quote(str(Path(str(url.database)).absolute()))}?mode={mode}"


def sqlite_engine(
    url: URL, begin: str, *pragmas: str, connections: int = 1, create: bool = False, pooled: bool = True
) -> AsyncEngine:
    """An engine whose transactions start with `begin`; opens an existing file unless `create`.

    The driver's own BEGIN is off: it would come late, without IMMEDIATE, and leave DDL outside of it
    (https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#sqlite-transactions).
    """
    settings = ["journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", *pragmas]
    if begin != "BEGIN":
        settings.append("busy_timeout=0")  # the driver waits for its turn itself, and once it has it, nothing waits
    address = sqlite_address(url, "rwc" if create else "rw")
    engine = create_async_engine(
        url,
        hide_parameters=True,
        json_serializer=_to_json,
        async_creator=lambda: connect(address, settings, BUSY_SECONDS),
        **({"pool_size": connections, "max_overflow": 0} if pooled else {"poolclass": NullPool}),
    )

    def begin_transaction(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, InlineConnection)
        driver.pending_begin = begin

    event.listen(engine.sync_engine, "begin", begin_transaction)
    event.listen(engine.sync_engine, "handle_error", hide_values)
    return engine


def postgres_engine(url: URL, limits: Mapping[str, float] | None = None, **pool: Any) -> AsyncEngine:
    """An engine over asyncpg; `limits` are PostgreSQL's, in seconds, `pool` are SQLAlchemy's pool settings."""
    limited = {name: f"{seconds * 1000:.0f}" for name, seconds in (limits or {}).items()}
    engine = create_async_engine(
        url,
        hide_parameters=True,
        json_serializer=_to_json,
        connect_args={
            "timeout": CONNECT_SECONDS,
            # jit costs more than our short queries; asyncpg's type look-ups trip over it in particular
            "server_settings": {"application_name": "perennial", "jit": "off", **limited},
        },
        **pool,
    )
    event.listen(engine.sync_engine, "handle_error", hide_values)
    event.listen(engine.sync_engine, "checkin", _note_use)
    event.listen(engine.sync_engine, "checkout", partial(_refuse_dead, engine.sync_engine))
    return engine


def _to_json(value: Any) -> str:
    """JSON with the letters of every script as they are, so that a search finds them in either case.

    Half a surrogate pair, which neither database can hold, becomes a question mark.
    """
    return json.dumps(value, ensure_ascii=False).encode(errors="replace").decode()


def _note_use(_: Any, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _refuse_dead(engine: Engine, connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
    """Have the pool take another connection for one that the server has closed, or that has gone away unnoticed.

    As `pool_pre_ping`, which asks the server before every transaction: this asks only after a rest.
    """
    if connection.driver_connection.is_closed():
        raise exc.DisconnectionError
    if time.monotonic() - record.info.get("used", time.monotonic()) > REST_SECONDS:
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise exc.DisconnectionError from error
