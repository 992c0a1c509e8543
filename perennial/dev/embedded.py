"""The embedded engine: Temporal's development server as our child, with its SQLite file in the data folder.

Three files carry a run. `engine.lock` is locked by us and says who runs where; its ports outlive the run, so
a bookmarked UI address keeps working. `temporal.log` is the server's standard error and is locked by the
*server*, through the handle it inherits: even when we are killed, no second server opens the database while
the first lives, which Temporal itself would let happen. `temporal.db` is the server's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from perennial.dev.disk import disk_error, refuse_full_disk
from perennial.dev.engine_lock import lock_folder
from perennial.dev.temporal_server import TemporalServer, start_server, temporal_binary

MINIMUM_FREE = 64 * 1024 * 1024
"""Bytes of free disk below which a start is refused."""

_WATCH = 2.0


@dataclass(frozen=True, slots=True)
class Engine:
    """The embedded engine of this process; `pid` is the server's."""

    address: str
    ui_url: str
    pid: int
    _server: "TemporalServer" = field(repr=False)

    async def watch(self) -> NoReturn:
        """Run beside the other work; raises `SettingsError` once the server ends or its disk fills up."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._server.process.wait(), _WATCH)
            self._server.check()


@asynccontextmanager
async def embedded_engine(
    data_dir: Path, *, port: int | None = None, ui_port: int | None = None, minimum_free: int = MINIMUM_FREE
) -> AsyncIterator[Engine]:
    """Start the engine on a data folder, yield it once server and UI answer, and stop it cleanly at the end.

    It listens on the loopback only. Ports that are not given are the previous run's where these are free,
    else any. Enter it from the main thread: on Linux the server ends with the thread that started it.
    Raises `SettingsError` if the folder is in use, not writable or short of disk (`minimum_free` bytes), if a
    given port is taken, or if the server does not start.
    """
    binary = temporal_binary()
    with lock_folder(data_dir) as lock:
        refuse_full_disk(data_dir, minimum_free)
        try:
            server = await start_server(binary, data_dir, lock, port, ui_port)
        except OSError as error:
            raise disk_error(data_dir, error) from error
        try:
            yield Engine(server.address, server.ui_url, server.process.pid, server)
        finally:
            await server.stop()
