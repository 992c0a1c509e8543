"""`starter.py deals`: deals from a CSV file."""

import asyncio
import json
from pathlib import Path

import pytest

from models.leads import BehaviourRow
from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from perennial.platform.settings import load_settings
from tests.builders import ada, rows, store
from tests.cli.conftest import invoke


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder with a database in which Ada is."""
    settings = load_settings(data_dir=tmp_path)
    asyncio.run(upgrade(settings.database_url))

    async def keep() -> None:
        database = Database(settings.database_url)
        await store(database, ada())
        await database.close()

    asyncio.run(keep())
    return tmp_path


def deals_of(data_dir: Path) -> list[BehaviourRow]:
    """The behaviours that are stored."""

    async def read() -> list[BehaviourRow]:
        database = Database(load_settings(data_dir=data_dir).database_url)
        found = await rows(database, BehaviourRow)
        await database.close()
        return found

    return asyncio.run(read())


def test_a_file_taken_twice_counts_once(data_dir: Path) -> None:
    """A row that is no deal, or of nobody, is left out with its reason."""
    file = data_dir / "deals.csv"
    file.write_text(
        "lead,event,at,amount,currency\nada@example.com,won,2026-02-01,1200,EUR\nbo@x.example,won,2026-02-01,,\n"
    )
    first, again = (json.loads(invoke("deals", str(file), "--json", data_dir=data_dir).stdout) for _ in range(2))
    assert (first["new"], first["known"], again["new"], again["known"]) == (1, 0, 0, 1)
    assert first["bad"] == [{"row": 3, "reason": "no lead 'bo@x.example'"}]
    (stored,) = deals_of(data_dir)
    assert (stored.name, stored.props) == ("deal.won", {"amount": "1200", "currency": "EUR", "day": "2026-02-01"})


def test_a_file_that_is_none_is_an_error_and_not_a_traceback(data_dir: Path) -> None:
    result = invoke("deals", "nowhere.csv", data_dir=data_dir)
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    assert "nowhere.csv" in result.output
