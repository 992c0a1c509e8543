"""Run a program until it is told to stop: by SIGINT, by SIGTERM, or, as a child, when its standard input closes."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from nurture.errors import SettingsError
from perennial.platform.temporal import connect
from perennial.platform.terminal import shown

try:
    import uvloop
except ImportError:  # there is none for Windows
    loop_factory = asyncio.new_event_loop
else:
    loop_factory = uvloop.new_event_loop

RETRY_SECONDS = 5.0


def run_program(work: Coroutine[Any, Any, None]) -> None:
    """Run a program that lives long to its end, on uvloop where there is one: a sixth of a worker's CPU less."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(work)


@contextmanager
def on_stop(stop: Callable[[], None], *, child: bool = False) -> Iterator[None]:
    """Call `stop` at each signal to stop; for a `child` also once standard input ends, with the program's parent."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)

    def input_ended() -> None:
        loop.remove_reader(sys.stdin)
        stop()

    if child:
        loop.add_reader(sys.stdin, input_ended)
    try:
        yield
    finally:
        if child:
            loop.remove_reader(sys.stdin)


@contextmanager
def stop_event(*, child: bool = False) -> Iterator[asyncio.Event]:
    """Give an event that is set once the program is told to stop."""
    stop = asyncio.Event()
    with on_stop(stop.set, child=child):
        yield stop


def run_until_stopped(work: Coroutine[Any, Any, None]) -> bool:
    """Run `work` to its end, True; or cancel it at the first signal and let it close in order, False."""

    async def main() -> bool:
        task = asyncio.get_running_loop().create_task(work)
        stopped = False

        def stop() -> None:
            nonlocal stopped
            if not stopped:  # a second signal would tear what is closing
                stopped = True
                task.cancel()

        with on_stop(stop):
            try:
                await task
            except asyncio.CancelledError:
                if not stopped:
                    raise
        return not stopped

    return asyncio.run(main())


async def connect_patiently(
    address: Callable[[], str | None], stop: asyncio.Event, announce: Callable[[str], None]
) -> Client | None:
    """Wait until a Temporal server answers and connect; None if `stop` is set meanwhile. Announces why it waits.

    `address` is asked before each try: an embedded engine may start meanwhile. Raises SettingsError if a server
    answers and refuses us, as waiting would not help.
    """
    while not stop.is_set():
        try:
            return await connect(address())
        except SettingsError as error:
            if isinstance(error.__cause__, RPCError):
                raise
            announce(f"waiting: {error}")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_SECONDS)
    return None


def announcer(program: str) -> Callable[[str], None]:
    """Give a function that writes a line to standard output at once, with the program's name in front of it."""

    def announce(line: str) -> None:
        sys.stdout.write(f"{program}: {shown(line)}\n")
        sys.stdout.flush()

    return announce
