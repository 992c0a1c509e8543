"""`starter.py deals`: deals from a CSV file."""

import asyncio
import json
from pathlib import Path

import pytest

from models.leads import BehaviourRow
from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from perennial.platform.settings import load_settings
from tests.builders import ada, person, rows, store
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


def take(data_dir: Path, *lines: str) -> dict[str, object]:
    """What the command answers to a file of these rows."""
    file = data_dir / "deals.csv"
    file.write_text("\n".join(["lead,event,at,deal,amount,currency", *lines, ""]))
    told: dict[str, object] = json.loads(invoke("deals", str(file), "--json", data_dir=data_dir).stdout)
    return told


def test_a_corrected_deal_counts_once_with_what_was_told_last(data_dir: Path) -> None:
    """Its amount and its day; also when it goes back to what it was."""
    first, other = "ada@example.com,won,2026-02-01,D-7,1200,EUR", "ada@example.com,won,2026-01-20,D-7,900,EUR"
    counts = [take(data_dir, line) for line in (first, other, other, first)]
    assert [(each["new"], each["corrected"], each["known"]) for each in counts] == [
        (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 0)
    ]  # fmt: skip
    take(data_dir, other)
    (stored,) = deals_of(data_dir)
    assert (stored.props["amount"], stored.props["day"], f"{stored.at:%Y-%m-%d}") == ("900", "2026-01-20", "2026-01-20")


def test_of_two_rows_of_one_deal_the_last_counts_and_taking_them_again_changes_nothing(data_dir: Path) -> None:
    lines = "ada@example.com,won,2026-02-01,D-7,1200,EUR", "ada@example.com,won,2026-02-01,D-7,900,EUR"
    first, again = take(data_dir, *lines), take(data_dir, *lines)
    assert (first["new"], again["corrected"], again["known"]) == (1, 0, 1)
    assert first["bad"] == [{"row": 2, "reason": "row 3 tells of it again; the last one counts"}]
    assert deals_of(data_dir)[0].props["amount"] == "900"


def test_a_deal_of_one_lead_is_not_another_leads(data_dir: Path) -> None:
    """It stays whose it was, and the row says why it is left out."""

    async def keep() -> None:
        database = Database(load_settings(data_dir=data_dir).database_url)
        await store(database, person("bo"))
        await database.close()

    asyncio.run(keep())
    take(data_dir, "ada@example.com,won,2026-02-01,D-7,1200,EUR")
    again = take(data_dir, "bo,won,2026-02-01,D-7,900,EUR")
    reason = "the deal D-7: it is another lead's already; give it an id of its own"
    assert again["bad"] == [{"row": 2, "reason": reason}]
    assert deals_of(data_dir)[0].props["amount"] == "1200"


def test_a_file_that_is_none_is_an_error_and_not_a_traceback(data_dir: Path) -> None:
    result = invoke("deals", "nowhere.csv", data_dir=data_dir)
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    assert "nowhere.csv" in result.output
