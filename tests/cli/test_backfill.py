"""`backfill`: a file of old events, twice, with rows to mend."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from models.leads import BehaviourRow, SuppressedAddress, Suppression
from perennial.platform.database import Database
from tests.builders import consenting, enrolment, rows, store
from tests.cli.conftest import TUESDAY, invoke

CSV = """lead,event,at,subject,id
ada,page.viewed,2024-03-01,/pricing,e-1
ada@example.com,deal.lost,2024-05-02T10:00,,e-2
ada,page.viewed,2024-03-01,/pricing,e-1
nobody,page.viewed,2024-03-01,/pricing,e-3
ada,page.vewed,2024-03-01,/pricing,e-4
ada,page.viewed,soon,/pricing,e-5
ada,page.viewed,2999-01-01,/pricing,e-6
"""
JSONL = "\n".join(
    [
        json.dumps({"lead": "ada", "event": "page.viewed", "at": "2024-03-01", "subject": "/pricing", "id": "e-1"}),
        json.dumps({"lead": "ada@example.com", "event": "deal.lost", "at": "2024-05-02T10:00", "id": "e-2"}),
        "[]",
    ]
)


@pytest.fixture
def folder(data_dir: Path) -> Path:
    """A data folder with Ada, who is on a journey."""
    database = Database(f"sqlite:///{data_dir / 'perennial.db'}")

    async def fill() -> None:
        changes: dict[str, Any] = {"email": "ada@example.com", "email_key": "ada@example.com"}
        await store(database, *consenting("ada", at=TUESDAY, **changes), enrolment(lead_id="ada"))
        await database.close()

    asyncio.run(fill())
    return data_dir


@pytest.mark.parametrize(("name", "text", "bad"), [("old.csv", CSV, 4), ("old.jsonl", JSONL, 1)])
def test_old_events_count_once_and_move_no_journey(folder: Path, name: str, text: str, bad: int) -> None:
    """Bad rows are kept with their reasons; the file of rejects can be taken again."""
    file = folder / name
    file.write_text(text, encoding="utf-8")

    def taken(*options: str) -> dict[str, Any]:
        result = invoke("backfill", str(file), "--json", *options, data_dir=folder)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    tried = taken("--dry-run")
    first = taken()
    assert tried == first | {"dry_run": True}, "it counts what then happens, and changes nothing"
    assert (first["new"], first["rejected"]) == (2, bad)
    assert len(Path(first["rejects"]).read_text(encoding="utf-8").splitlines()) == bad + 1
    assert taken()["new"] == 0
    again = invoke("backfill", first["rejects"], "--rejects", str(folder / "again.csv"), "--json", data_dir=folder)
    assert json.loads(again.stdout)["rejected"] == bad

    async def kept() -> set[tuple[str, str, str]]:
        database = Database(f"sqlite:///{folder / 'perennial.db'}")
        found = {(row.id, row.name, row.subject) for row in await rows(database, BehaviourRow)}
        await database.close()
        return found

    assert asyncio.run(kept()) == {("e-1", "page.viewed", "/pricing"), ("e-2", "deal.lost", "")}
    assert json.loads(invoke("show", "ada", "--json", data_dir=folder).stdout)["standings"][0]["outcome"] is None


@pytest.mark.parametrize(
    ("row", "wrong", "of_lead", "of_nobody"),
    [
        ("ada,lead.opted_out,soon", "no time", ["opt-out"], []),
        ("ada@example.com,email.complained,2999-01-01", "future", ["complaint"], []),
        ("ada,lead.opted_out,2024-03-01,too,many,fields", "fields", ["opt-out"], []),
        ("Nobody@Example.com,lead.opted_out,2024-03-01", "no lead", [], ["opt-out"]),
        ("nobody,lead.opted_out,2024-03-01", "no lead", [], []),
        ("ada,page.viewed,soon", "no time", [], []),
    ],
)
def test_what_a_rejected_row_says_against_mail_holds(
    folder: Path, row: str, wrong: str, of_lead: list[str], of_nobody: list[str]
) -> None:
    """Whoever is named is not mailed; the row is rejected all the same, however often it is taken."""
    file = folder / "old.csv"
    file.write_text(f"lead,event,at\n{row}\n", encoding="utf-8")
    for _ in range(2):
        result = invoke("backfill", str(file), "--json", data_dir=folder)
        told = json.loads(result.stdout)
        assert (told["new"], told["known"], told["rejected"]) == (0, 0, 1)
        assert wrong in Path(told["rejects"]).read_text(encoding="utf-8")

    async def reasons(kind: type[Suppression] | type[SuppressedAddress]) -> list[str]:
        database = Database(f"sqlite:///{folder / 'perennial.db'}")
        found = [one.reason for one in await rows(database, kind)]
        await database.close()
        return found

    assert asyncio.run(reasons(Suppression)) == of_lead
    assert asyncio.run(reasons(SuppressedAddress)) == of_nobody


def test_what_nobody_sees_in_a_file_is_no_part_of_it(folder: Path) -> None:
    """A second byte order mark, unseen letters around a cell, rows of commas that a spreadsheet left behind."""
    (folder / "old.csv").write_text(
        "\ufeff\ufefflead,event,at\n\u200bada,lead.opted_out\u200b,2024-03-01\n,,\n\x1a", encoding="utf-8"
    )
    told = json.loads(invoke("backfill", str(folder / "old.csv"), "--json", data_dir=folder).stdout)
    assert (told["new"], told["rejected"]) == (1, 0)


def test_a_file_without_the_columns_is_refused(folder: Path) -> None:
    """Before anything is taken."""
    (folder / "old.csv").write_text("who,what\nada,x\n", encoding="utf-8")
    result = invoke("backfill", str(folder / "old.csv"), data_dir=folder)
    assert result.exit_code == 2
    assert "no column 'lead'" in result.output


@pytest.mark.parametrize(
    ("name", "behaviour", "says"),
    [
        ("nobody@example.com", "lead.opted_out", True),
        ("nobody@example.com", "page.viewed", False),
        ("nobody", "lead.opted_out", False),
    ],
)
def test_an_opt_out_of_nobody_by_signal_names_the_command_that_keeps_it(
    folder: Path, name: str, behaviour: str, says: bool
) -> None:
    """`signal` is about a lead; `suppress` takes any address."""
    result = invoke("signal", name, behaviour, data_dir=folder)
    assert result.exit_code != 0
    assert ("suppress nobody@example.com" in " ".join(result.output.split())) is says
