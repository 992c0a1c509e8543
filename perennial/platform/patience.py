"""Do work again while the database is away for a moment: a restart, a fail-over, a lock."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from perennial.platform.database_errors import is_outage

T = TypeVar("T")

PAUSE = 0.2


async def with_patience(work: Callable[[], Awaitable[T]], *, again_for: float = 5.0, within: float = 15.0) -> T:
    """What `work` returns: whole transactions that may be run again.

    Runs it again for `again_for` seconds while the database is to blame, and ends it after `within` seconds at most.
    Raises what it raised last, and TimeoutError.
    """
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(within):
        while True:
            try:
                return await work()
            except Exception as error:
                if not is_outage(error) or asyncio.get_running_loop().time() > began + again_for:
                    raise
            await asyncio.sleep(PAUSE)
