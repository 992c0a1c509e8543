"""One embedded stack for the session, on a Tuesday morning by its own clock, and a command line that talks to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from models.journeys import Enrolment
from models.leads import LeadRow
from models.shared import ClockRow
from perennial.app.connected import ConnectedInstallation, connected_installation
from perennial.app.worker import build_worker
from perennial.cli.app import app
from perennial.dev.embedded import embedded_engine
from perennial.platform.installation import open_installation
from perennial.platform.migrations import upgrade
from perennial.platform.settings import load_settings
from perennial.platform.temporal import connect, ensure_search_attributes
from tests.builders import consenting, store

TUESDAY = datetime(2026, 3, 3, 10, tzinfo=UTC)
PATIENCE = 60.0


def invoke(*words: str, data_dir: Path, **environment: str) -> Result:
    """Run the command line with these words on a data folder."""
    env = {"PERENNIAL_DATA_DIR": str(data_dir), "TERM": "dumb", **environment}
    return CliRunner().invoke(app, list(words), env=env, prog_name="starter.py")


@dataclass
class Stack:
    """The running stack: its installation, and its command line."""

    inst: ConnectedInstallation
    data_dir: Path
    _numbers: Any = field(default_factory=count)

    async def run(self, *words: str, code: int = 0) -> Result:
        """Run a command in a thread of its own, and hold it to its exit code."""
        result = await asyncio.to_thread(invoke, *words, data_dir=self.data_dir)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    async def json(self, *words: str) -> Any:
        """The one JSON document that a command answers with."""
        return json.loads((await self.run(*words, "--json")).stdout)

    async def lead(self, **changes: Any) -> LeadRow:
        """A new lead that may be mailed."""
        lead, consent = consenting(f"ld{next(self._numbers)}", at=TUESDAY, **{"country": "DE"} | changes)
        assert isinstance(lead, LeadRow)
        await store(self.inst.database, lead, consent)
        return lead

    async def enrolment(self, lead: LeadRow, track: str = "new-lead") -> Enrolment | None:
        """The lead's first stay on a track, as it is in the read model."""
        async with self.inst.database.reading() as session:
            return await session.get(Enrolment, f"{track}/{lead.id}/1")

    async def stands(self, lead: LeadRow, step: str, *, track: str = "new-lead", status: str = "active") -> Enrolment:
        """Wait until the lead's first stay on a track is at this step."""

        async def there() -> Enrolment | None:
            found = await self.enrolment(lead, track)
            return found if found is not None and (found.step, found.status) == (step, status) else None

        return await eventually(there)


async def eventually(condition: Callable[[], Awaitable[Any]]) -> Any:
    """What the condition gives once it gives something."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
        return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Engine, database and worker, in this process."""
    data_dir = tmp_path_factory.mktemp("stack")
    settings = load_settings(data_dir=data_dir, provider="database")
    await upgrade(settings.database_url)
    async with embedded_engine(data_dir) as engine:
        client = await connect(engine.address)
        await ensure_search_attributes(client)
        async with open_installation(settings) as bare, bare.database.writing() as session:
            session.add(ClockRow(id=1, real=datetime.now(UTC), virtual=TUESDAY, speed=1.0))
        async with connected_installation(settings, client) as inst, build_worker(inst):
            yield Stack(inst, data_dir)
