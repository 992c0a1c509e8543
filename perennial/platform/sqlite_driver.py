"""aiosqlite without its thread: a trip to it takes several times what a small statement does.

A transaction runs at once, in the event loop: its statements are short, and nothing makes them wait once it has begun.
So no cancellation can reach one either, and leave a transaction open that nobody ends. Only the wait for another
process's write can take long, and that is done by trying again, in the open.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Self

import aiosqlite

Row = tuple[Any, ...]

FIRST_PAUSE = 0.001
LONGEST_PAUSE = 0.02
"""Seconds between two tries at a transaction's beginning, at first and at most."""


class InlineConnection(aiosqlite.Connection):
    """Connects when awaited; `pending_begin` is a BEGIN that the next statement takes along."""

    pending_begin: str | None = None
    patience: float = 0.0

    def cursor(self) -> InlineCursor:  # type: ignore[override] # nothing to await: made with its statement
        return InlineCursor(self)

    async def commit(self) -> None:
        if not self._nothing_began():
            self._conn.commit()

    async def rollback(self) -> None:
        if not self._nothing_began():
            self._conn.rollback()

    @property
    def sqlite(self) -> sqlite3.Connection:
        """The connection underneath."""
        return self._conn

    async def begin(self) -> None:
        """Run the pending BEGIN, if there is one; tried again for `patience` seconds while another process writes."""
        if self.pending_begin is None:
            return
        until = time.monotonic() + self.patience
        pause = FIRST_PAUSE
        while True:
            try:
                self._conn.execute(self.pending_begin).close()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                self.pending_begin = None
                return

    async def opened(self) -> Self:
        """Connect; raises what SQLite raises, once the thread has ended (aiosqlite leaves it)."""
        self._thread.daemon = True  # as SQLAlchemy does: a forgotten connection does not keep the interpreter
        try:
            await self
        except sqlite3.Error:
            self._thread.join()
            raise
        return self

    def _nothing_began(self) -> bool:
        pending, self.pending_begin = self.pending_begin, None
        return pending is not None


class InlineCursor:
    """The cursor SQLAlchemy asks for; every row of a result is fetched with its statement."""

    arraysize = 1

    def __init__(self, connection: InlineConnection) -> None:
        self._connection = connection
        self._rows: Iterator[Row] = iter(())
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def close(self) -> None:
        self._rows = iter(())

    async def execute(self, sql: str, parameters: Any = ()) -> Self:
        await self._connection.begin()
        return self._take(*self._run(lambda cursor: cursor.execute(sql, parameters)))

    async def executemany(self, sql: str, rows: Iterable[Any]) -> Self:
        await self._connection.begin()
        return self._take(*self._run(lambda cursor: cursor.executemany(sql, rows)))

    async def fetchone(self) -> Row | None:
        return next(self._rows, None)

    async def fetchmany(self, size: int | None = None) -> Sequence[Row]:
        return list(islice(self._rows, size or self.arraysize))

    async def fetchall(self) -> Sequence[Row]:
        return list(self._rows)

    async def __aiter__(self) -> AsyncIterator[Row]:
        for row in self._rows:
            yield row

    def _run(self, run: Callable[[sqlite3.Cursor], sqlite3.Cursor]) -> tuple[sqlite3.Cursor, list[Row]]:
        cursor = run(self._connection.sqlite.cursor())
        return cursor, cursor.fetchall() if cursor.description else []

    def _take(self, cursor: sqlite3.Cursor, rows: list[Row]) -> Self:
        self._rows = iter(rows)
        self.description, self.rowcount = cursor.description, cursor.rowcount
        self.lastrowid = cursor.lastrowid
        return self


def _lower(value: object) -> str | None:
    return None if value is None else str(value).lower()


async def connect(address: str, pragmas: Sequence[str], busy_seconds: float) -> InlineConnection:
    """A connection to a `file:` URI, with the driver's own BEGIN off; `lower` knows the letters of every script."""

    def connector() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII alone
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}").close()
        except BaseException:
            connection.close()
            raise
        return connection

    connection = InlineConnection(connector, iter_chunk_size=64)
    connection.patience = busy_seconds
    return await connection.opened()
