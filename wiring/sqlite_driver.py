"""aiosqlite with one trip to its thread for a statement instead of four, and none for BEGIN.

A trip costs several times what a small statement does; a one-row transaction takes two instead of seven.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Self, TypeVar

import aiosqlite

Row = tuple[Any, ...]
Result = TypeVar("Result")


class OneTripConnection(aiosqlite.Connection):
    """Connects when awaited; `pending_begin` is a BEGIN that the next statement takes along."""

    pending_begin: str | None = None

    def cursor(self) -> OneTripCursor:  # type: ignore[override] # nothing to await: made with its statement
        return OneTripCursor(self)

    async def commit(self) -> None:
        if not self._nothing_began():
            await super().commit()

    async def rollback(self) -> None:
        if not self._nothing_began():
            await super().rollback()

    @property
    def sqlite(self) -> sqlite3.Connection:
        """The connection underneath, for its own thread only."""
        return self._conn

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        """What `work` returns, run in the connection's thread after all that was asked before."""
        result: Result = await self._execute(work)  # type: ignore[no-untyped-call]
        return result

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


class OneTripCursor:
    """The cursor SQLAlchemy asks for; every row of a result is fetched in the trip that makes it."""

    arraysize = 1

    def __init__(self, connection: OneTripConnection) -> None:
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
        return await self._trip(lambda cursor: cursor.execute(sql, parameters))

    async def executemany(self, sql: str, rows: Iterable[Any]) -> Self:
        return await self._trip(lambda cursor: cursor.executemany(sql, rows))

    async def fetchone(self) -> Row | None:
        return next(self._rows, None)

    async def fetchmany(self, size: int | None = None) -> Sequence[Row]:
        return list(islice(self._rows, size or self.arraysize))

    async def fetchall(self) -> Sequence[Row]:
        return list(self._rows)

    async def __aiter__(self) -> AsyncIterator[Row]:
        for row in self._rows:
            yield row

    async def _trip(self, run: Callable[[sqlite3.Cursor], sqlite3.Cursor]) -> Self:
        connection = self._connection
        begin, connection.pending_begin = connection.pending_begin, None

        def in_thread() -> tuple[sqlite3.Cursor, list[Row]]:
            cursor = connection.sqlite.cursor()
            if begin is not None:
                cursor.execute(begin)
            run(cursor)
            return cursor, cursor.fetchall() if cursor.description else []

        cursor, rows = await connection.in_thread(in_thread)
        self._rows = iter(rows)
        self.description, self.rowcount = cursor.description, cursor.rowcount
        self.lastrowid = cursor.lastrowid
        return self


async def connect(address: str, pragmas: Sequence[str], busy_seconds: float) -> OneTripConnection:
    """A connection to a `file:` URI, with the driver's own BEGIN off."""

    def connector() -> sqlite3.Connection:
        connection = sqlite3.connect(address, uri=True, timeout=busy_seconds, isolation_level=None)
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}").close()
        except BaseException:
            connection.close()
            raise
        return connection

    return await OneTripConnection(connector, iter_chunk_size=64).opened()
