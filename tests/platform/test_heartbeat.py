"""A program that works is seen to be alive; one that hangs, or has gone, is not."""

import asyncio
import os
from pathlib import Path

from perennial.platform.heartbeat import FRESH_SECONDS, beating, is_alive


async def test_a_working_program_is_alive_and_one_that_ended_is_not(tmp_path: Path) -> None:
    """The file is fresh again after it has grown old, and gone at the end."""
    file = tmp_path / "alive"
    async with beating(file, every=0.01), asyncio.timeout(20):
        while not file.exists():
            await asyncio.sleep(0)
        os.utime(file, (0, 0))
        while not is_alive(file, FRESH_SECONDS + file.stat().st_mtime - 1) or file.stat().st_mtime == 0:
            await asyncio.sleep(0)
    assert not is_alive(file, 0)


def test_a_file_that_nobody_touches_grows_stale(tmp_path: Path) -> None:
    """A hung event loop touches nothing."""
    file = tmp_path / "alive"
    file.touch()
    now = file.stat().st_mtime
    assert is_alive(file, now + FRESH_SECONDS - 1)
    assert not is_alive(file, now + FRESH_SECONDS)


async def test_without_a_file_nothing_beats() -> None:
    """A laptop needs no health check."""
    async with beating(None):
        pass


async def test_a_heart_that_cannot_be_written_stops_no_program(tmp_path: Path) -> None:
    """A full or read-only disk is for the check to see."""
    async with beating(tmp_path / "no folder" / "alive", every=0.01):
        await asyncio.sleep(0)
