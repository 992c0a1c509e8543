"""`segments`, `segment` and `--segment`: sizes, overlaps, who and why; and what is said of a name that is none."""

import asyncio
import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.leads import BehaviourRow
from perennial.platform.database import Database
from perennial.platform.settings import load_settings
from tests.builders import consenting, store
from tests.cli.conftest import invoke

LEADS = {"ada": "finance", "ben": "finance", "cy": "retail"}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder with three leads; Ada looked at the prices twice this week."""
    folder = tmp_path / "data"
    assert invoke("migrate", data_dir=folder).exit_code == 0
    asyncio.run(_fill(folder))
    return folder


async def _fill(folder: Path) -> None:
    database = Database(load_settings(data_dir=folder).database_url)
    now = datetime.now(UTC)
    rows = [row for lead, industry in LEADS.items() for row in consenting(lead, traits={"industry": industry})]
    seen = {"lead_id": "ada", "name": "page.viewed", "subject": "/pricing", "received_at": now}
    await store(database, *rows, *(BehaviourRow(id=f"v{age}", at=now - timedelta(days=age), **seen) for age in (1, 2)))
    await database.close()


def answer(*words: str, data_dir: Path) -> Any:
    """The one JSON document that a command answers with."""
    result = invoke(*words, "--json", data_dir=data_dir)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_segments_says_how_many_leads_are_in_each_and_in_two_at_once(data_dir: Path) -> None:
    """As counts of one moment."""
    found = answer("segments", data_dir=data_dir)
    assert {each["name"]: each["leads"] for each in found["segments"]} == {"finance-evaluators": 1, "gone-quiet": 2}
    assert found["overlaps"] == [{"segments": ["finance-evaluators", "gone-quiet"], "leads": 0}]
    assert "finance-evaluators" in invoke("segments", data_dir=data_dir).stdout


def test_segment_says_who_is_in_it_and_why_and_writes_them_to_a_file(data_dir: Path, tmp_path: Path) -> None:
    """The file can be opened in a spreadsheet."""
    file = tmp_path / "evaluators.csv"
    found = answer("segment", "finance-evaluators", "--csv", str(file), data_dir=data_dir)
    because = ["industry is finance", "viewed page /pricing* 2 times within 14 days"]
    assert [(each["id"], each["because"]) for each in found["leads"]] == [("ada", because)]
    (row,) = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    assert (row["email"], row["because"]) == ("ada@northwind.example", "; ".join(because))


def test_a_segment_chooses_the_leads_of_a_list_and_of_a_preview(data_dir: Path) -> None:
    """Alone, or together with a filter."""
    words = ("leads", "--segment", "gone-quiet")
    assert {each["id"] for each in answer(*words, data_dir=data_dir)["leads"]} == {"ben", "cy"}
    assert [each["id"] for each in answer(*words, "--where", "industry=retail", data_dir=data_dir)["leads"]] == ["cy"]
    preview = answer("preview", "new-lead", "--segment", "gone-quiet", data_dir=data_dir)
    assert preview["would_enrol"] == 2


def test_a_segment_that_is_none_is_named_with_the_nearest(data_dir: Path) -> None:
    """Wherever it is asked for; nothing is done."""
    for words in (("segment", "gone-quite"), ("leads", "--segment", "gone-quite")):
        result = invoke(*words, data_dir=data_dir)
        assert result.exit_code == 2
        assert "no segment called 'gone-quite'; did you mean 'gone-quiet'?" in result.stderr
    assert invoke("renurture", data_dir=data_dir).exit_code == 2
