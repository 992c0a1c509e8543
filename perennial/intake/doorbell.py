"""The doorbell of the outbox: whoever stores an event wakes the relay. Polling is the fallback.

PostgreSQL has LISTEN and NOTIFY. On SQLite the number of the file's last commit says that somebody has written.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, Self

import asyncpg
import structlog

from perennial.intake.outbox import CHANNEL
from perennial.platform.database import Database, sqlite_address

log = structlog.get_logger(__name__)

LOOK = 0.005
"""Seconds between two looks at the number of SQLite's last commit; a look takes some microseconds."""
REDIAL = 2.0


class Doorbell(Protocol):
    """Waits for the next event."""

    async def rung(self, stop: asyncio.Event, within: float) -> None:
        """Return when somebody stores an event, when `stop` is set, or after `within` seconds."""
        ...


@asynccontextmanager
async def doorbell(database: Database) -> AsyncIterator[Doorbell]:
    """The doorbell of a database, hung up for the length of the block."""
    if database.is_sqlite:
        with _Commits(database) as commits:
            yield commits
        return
    notices = _Notices(database)
    listening = asyncio.create_task(notices.listen())
    try:
        yield notices
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


class _Commits:
    """Looks at `PRAGMA data_version`: another connection's commit changes it."""

    def __init__(self, database: Database) -> None:
        self._connection = sqlite3.connect(
            sqlite_address(database.url, "rw"), uri=True, isolation_level=None, check_same_thread=False
        )
        self._seen = self._version()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    async def rung(self, stop: asyncio.Event, within: float) -> None:
        until = time.monotonic() + within
        while not stop.is_set() and time.monotonic() < until:
            if (version := self._version()) != self._seen:
                self._seen = version
                return
            await asyncio.sleep(LOOK)

    def _version(self) -> int:
        try:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.OperationalError:  # locked or away: the relay's next look says so
            return -1


class _Notices:
    """Listens on a connection of its own, and dials again when it is lost."""

    def __init__(self, database: Database) -> None:
        self._url = database.url.set(drivername="postgresql")
        self._bell = asyncio.Event()

    async def listen(self) -> None:
        """Until cancelled. What was stored before the connection stood is found by looking, so ring once."""
        while True:
            lost = asyncio.Event()
            try:
                connection: Any = await asyncpg.connect(**_arguments(self._url))
                try:
                    connection.add_termination_listener(lambda _, lost=lost: lost.set())
                    await connection.add_listener(CHANNEL, lambda *_: self._bell.set())
                    self._bell.set()
                    await lost.wait()
                finally:
                    connection.terminate()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.info("cannot listen for what comes in; looking instead", kind=type(error).__name__)
            await asyncio.sleep(REDIAL)

    async def rung(self, stop: asyncio.Event, within: float) -> None:
        stopping, ringing = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(self._bell.wait())
        try:
            await asyncio.wait({stopping, ringing}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            ringing.cancel()
        self._bell.clear()


def _arguments(url: Any) -> dict[str, Any]:
    arguments, options = url.translate_connect_args(username="user"), dict(url.query)
    return {**arguments, **options, "server_settings": {"application_name": "perennial relay"}, "timeout": 10.0}
