"""The worker as a program: runs the journeys and their steps, until SIGINT or SIGTERM."""

import argparse
import os
import sys
from collections.abc import Sequence

from nurture.errors import PerennialError, SettingsError
from perennial.app.connected import connected_installation
from perennial.app.providers import open_provider
from perennial.app.sweep_schedule import ensure_sweeps
from perennial.app.worker import build_worker
from perennial.platform.heartbeat import beating
from perennial.platform.logs import configure_logs
from perennial.platform.migrations import require_current
from perennial.platform.private_files import UMASK
from perennial.platform.processes import announcer, connect_patiently, run_program, stop_event
from perennial.platform.settings import Settings, load_settings
from perennial.platform.temporal import ensure_search_attributes


async def work(settings: Settings, address: str | None, *, child: bool = False) -> None:
    """Work until told to stop; what is in flight then finishes first. Raises SettingsError if it cannot begin."""
    announce = announcer("worker")
    with stop_event(child=child) as stop:
        await require_current(settings.database_url)
        if client := await connect_patiently(lambda: address, stop, announce):
            async with connected_installation(settings, client) as inst:
                for line in inst.broken:
                    announce(f"broken, and left out: {line}")
                await ensure_search_attributes(inst.client)
                if inst.sweeper.entries:
                    speed = inst.clock.speed
                    await ensure_sweeps(inst.client, settings.task_queue, settings.sweep_every, speed=speed)
                with open_provider(settings, inst.database) as provider:
                    async with build_worker(inst, provider=provider), beating(settings.heartbeat_file):
                        announce(f"working on {settings.task_queue!r}: tracks {', '.join(sorted(inst.tracks))}")
                        await stop.wait()
                        announce("finishing what is in flight")
        announce("stopped")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 after a stop, 4 for settings or surroundings that are wrong, 1 for broken tracks or content."""
    parser = argparse.ArgumentParser(description="Run the journeys and their steps.")
    parser.add_argument("--address", help="host:port of an embedded engine, instead of Temporal's own settings")
    parser.add_argument("--child", action="store_true", help="stop when standard input closes")
    options = parser.parse_args(arguments)
    os.umask(UMASK)
    try:
        settings = load_settings()
        configure_logs(settings.log_format, level=settings.log_level)
        run_program(work(settings, options.address, child=options.child))
    except PerennialError as error:
        sys.stderr.write(f"worker: {error}\n")
        return 4 if isinstance(error, SettingsError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
