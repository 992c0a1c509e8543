"""Say that a program is alive, by the age of a file: for health checks of programs that listen on no port.

`python -m perennial.platform.heartbeat FILE` ends with 0 while the file is fresh, else with 1.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

EVERY_SECONDS = 5.0
FRESH_SECONDS = 30.0


@asynccontextmanager
async def beating(file: Path | None, every: float = EVERY_SECONDS) -> AsyncIterator[None]:
    """Touch the file every few seconds until the block ends, then delete it; without a file do nothing.

    The event loop touches it, so a program that hangs goes stale.
    """
    if file is None:
        yield
        return
    heart = asyncio.create_task(_beat(file, every))
    try:
        yield
    finally:
        heart.cancel()
        with suppress(asyncio.CancelledError):
            await heart
        with suppress(OSError):
            file.unlink()  # noqa: ASYNC240 - as quick as a look at the clock


def is_alive(file: Path, now: float) -> bool:
    """Whether the file was touched lately; `now` is seconds since 1970."""
    try:
        return now - file.stat().st_mtime < FRESH_SECONDS
    except OSError:
        return False


async def _beat(file: Path, every: float) -> None:
    while True:
        with suppress(OSError):  # a full disk stops no journey; the check sees that the file is old
            file.touch(mode=0o600)  # noqa: ASYNC240
        await asyncio.sleep(every)


if __name__ == "__main__":
    sys.exit(0 if is_alive(Path(sys.argv[1]), time.time()) else 1)
