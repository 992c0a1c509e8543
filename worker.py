"""The worker: runs the journeys and their steps, until SIGINT or SIGTERM. In-flight activities finish first.

    python worker.py

It needs a migrated database and waits for a Temporal server; the settings name both
(`perennial.platform.settings`, `temporalio.envconfig`). `--address` names an embedded engine, `--child` ends it with
the process that started it.
"""

import argparse
import asyncio
import signal
import sys
from contextlib import suppress

from temporalio.service import RPCError

from nurture.errors import PerennialError, SettingsError
from perennial.app.installation import installation
from perennial.app.providers import held_provider
from perennial.app.worker import build_worker
from perennial.platform.logs import configure_logs
from perennial.platform.migrations import require_current
from perennial.platform.settings import Settings, load_settings
from perennial.platform.temporal import connect, ensure_search_attributes

RETRY_SECONDS = 5.0


async def work(settings: Settings, address: str | None, *, child: bool) -> None:
    """Poll until told to stop; raises SettingsError where starting makes no sense."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if child:
        loop.add_reader(sys.stdin, stop.set)
    await require_current(settings.database_url)
    if not await _server_answers(address, stop):
        return
    async with installation(settings, address) as inst:
        await ensure_search_attributes(inst.client)
        with held_provider(settings, inst.database) as provider:
            async with build_worker(inst, provider=provider):
                _say(f"working on {settings.task_queue!r}: tracks {', '.join(sorted(inst.tracks))}")
                await stop.wait()
                if child:
                    loop.remove_reader(sys.stdin)
                _say("finishing what is in flight")
    _say("stopped")


async def _server_answers(address: str | None, stop: asyncio.Event) -> bool:
    """Wait for the server, as long as it takes; False if told to stop meanwhile."""
    while not stop.is_set():
        try:
            await connect(address)
        except SettingsError as error:
            if isinstance(error.__cause__, RPCError):
                raise  # it answers, and refuses us: waiting would not help
            _say(f"waiting: {error}")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_SECONDS)
        else:
            return True
    return False


def _say(line: str) -> None:
    sys.stdout.write(f"worker: {line}\n")
    sys.stdout.flush()


def main() -> int:
    """Exit code 0 after a stop, 4 for settings or surroundings that are wrong, 1 for broken tracks or content."""
    parser = argparse.ArgumentParser(prog="worker.py", description="Run the journeys and their steps.")
    parser.add_argument("--address", help="host:port of an embedded engine, instead of Temporal's own settings")
    parser.add_argument("--child", action="store_true", help="stop when standard input closes")
    options = parser.parse_args()
    try:
        settings = load_settings()
        configure_logs(settings.log_format, level=settings.log_level)
        asyncio.run(work(settings, options.address, child=options.child))
    except PerennialError as error:
        sys.stderr.write(f"worker: {error}\n")
        return 4 if isinstance(error, SettingsError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
