"""The worker under test, a process of its own: `python -m benchmarks.worker ADDRESS DATA_DIR VARIANT PORT CACHE`.

It ends when its standard input does. Each send is told to the driver, a datagram to PORT on the loopback. CACHE is how
many journeys it keeps in memory. `ours` and `tuned` run on uvloop and leave unset fields out of payloads; `optimised`
and `naive` run as the SDK comes.
"""

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.by_hand import Naive, Optimised, Recording, Tuned
from benchmarks.canonical import canonical, catalogue
from nurture.journey.track import Registry
from nurture.people.scoring import DEFAULT_MODEL
from nurture.timing.clock import Clock
from perennial.app.connected import ConnectedInstallation
from perennial.app.worker import build_worker, step_activities
from perennial.channels.database_mail import DatabaseProvider
from perennial.channels.ports import Envelope, Fate
from perennial.journeys.read_model import write_decision, write_head
from perennial.leads.scores import rescore
from perennial.platform.clock import read_clock
from perennial.platform.database import Database
from perennial.platform.processes import loop_factory
from perennial.platform.settings import Settings, load_settings
from perennial.platform.temporal import connect

TRACKS = Registry((canonical,))
TUNED = ("ours", "tuned")


@dataclass(frozen=True)
class Telling:
    """The mailbox, that also tells the driver of each send."""

    mailbox: DatabaseProvider
    port: int
    socket: socket.socket

    async def send(self, envelope: Envelope) -> str:
        """Keep the message, and say so."""
        said = f"{time.time()} {envelope.lead_id} {envelope.categories[1]}"
        self.socket.sendto(said.encode(), ("127.0.0.1", self.port))
        return await self.mailbox.send(envelope)

    async def fate(self, touch_id: str) -> Fate:
        """As the mailbox says."""
        return await self.mailbox.fate(touch_id)


@dataclass(frozen=True)
class HandActivities:
    """What the naive version does in activities of its own."""

    database: Database

    @activity.defn(name="record")
    async def record(self, recording: Recording) -> None:
        """Write down where the lead stands."""
        assert recording.then is not None
        async with self.database.writing() as session:
            because = ["the piece was sent"]
            await write_head(session, recording.enrolment_id, recording.at, recording.then, because)
            await write_decision(session, recording.enrolment_id, recording.seq, recording.at, recording.then, because)

    @activity.defn(name="rescore")
    async def rescore(self, recording: Recording) -> int:
        """Take the score again."""
        async with self.database.writing() as session:
            return (await rescore(session, DEFAULT_MODEL, recording.lead_id, recording.at)).total


async def installed(address: str, settings: Settings, *, stock: bool = False) -> ConnectedInstallation:
    """An installation with the canonical track alone; its database is migrated and its clock set already."""
    database = Database(settings.database_url)
    return ConnectedInstallation(
        settings=settings,
        database=database,
        client=await Client.connect(address, data_converter=pydantic_data_converter)
        if stock
        else await connect(address),
        tracks=TRACKS,
        catalogue=catalogue(),
        scoring=DEFAULT_MODEL,
        clock=await read_clock(database) or Clock.production(),
    )


def worker_of(inst: ConnectedInstallation, variant: str, port: int) -> Worker:
    """The project's own worker for `ours`, else one with the same settings for the journeys written by hand."""
    provider = Telling(DatabaseProvider(inst.database), port, socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    if variant == "ours":
        return build_worker(inst, provider=provider)
    settings, hand = inst.settings, HandActivities(inst.database)
    activities: Sequence[Callable[..., Any]] = [*step_activities(inst, provider), hand.record, hand.rescore]
    return Worker(
        inst.client,
        task_queue=settings.task_queue,
        workflows=[Naive, Optimised, Tuned],
        activities=activities,
        workflow_runner=UnsandboxedWorkflowRunner(),  # as ours: see ADR 7
        max_cached_workflows=settings.max_cached_workflows,
        max_concurrent_workflow_tasks=settings.max_concurrent_workflow_tasks,
        max_concurrent_activities=settings.max_concurrent_activities,
        max_concurrent_local_activities=settings.max_concurrent_local_activities,
        graceful_shutdown_timeout=timedelta(seconds=20),
    )


async def main(address: str, data_dir: Path, variant: str, port: int, cache: int) -> None:
    """Run a worker until standard input ends."""
    logging.basicConfig(level=logging.ERROR)
    settings = load_settings(data_dir=data_dir, task_queue=variant, max_cached_workflows=cache)
    inst = await installed(address, settings, stock=variant not in TUNED)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), over.set)
    loop.add_signal_handler(signal.SIGTERM, over.set)
    try:
        async with worker_of(inst, variant, port):
            print("ready", flush=True)
            await over.wait()
    finally:
        await inst.database.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        _, address, folder, variant, port, cache = sys.argv
        with asyncio.Runner(loop_factory=loop_factory if variant in TUNED else None) as runner:
            runner.run(main(address, Path(folder), variant, int(port), int(cache)))
