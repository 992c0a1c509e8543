"""docs/back-up.md: its commands are ours, and a restored database mails nobody who opted out, or was erased, since."""

import asyncio
import json
import re
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from models.intake import Event
from models.journeys import AskedRow
from models.leads import LeadRow, Suppression
from perennial.cli.app import COMMANDS
from perennial.platform.database import Database
from tests.builders import consenting, enrolment, rows, store
from tests.cli.conftest import TUESDAY, invoke
from tests.paths import ROOT

PAGE = ROOT / "docs" / "back-up.md"
Found = TypeVar("Found")
LEADS = ("ada", "bo", "cy", "di")


def test_its_commands_are_commands() -> None:
    """Those in its boxes and those in its text."""
    named = set(re.findall(r"starter\.py ([a-z-]+)", PAGE.read_text(encoding="utf-8")))
    assert {"opt-outs", "repair", "migrate", "retell"} <= named
    assert named <= set(COMMANDS)


@pytest.fixture
def folder(data_dir: Path) -> Path:
    """A data folder with four leads, each on a journey."""
    asyncio.run(with_database(data_dir, _fill))
    return data_dir


async def _fill(database: Database) -> None:
    everybody = [row for lead in LEADS for row in consenting(lead, at=TUESDAY)]
    await store(database, *everybody, *(enrolment(lead_id=lead) for lead in LEADS))


async def with_database(folder: Path, work: Callable[[Database], Awaitable[Found]]) -> Found:
    """Work on the folder's database in an event loop of its own, as each command has one."""
    database = Database(f"sqlite:///{folder / 'perennial.db'}")
    try:
        return await work(database)
    finally:
        await database.close()


def command(folder: Path, *words: str) -> str:
    """What a command answers while Temporal is away."""
    result = invoke(*words, data_dir=folder, TEMPORAL_ADDRESS="127.0.0.1:1")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_restored_database_hears_of_who_opted_out_since_the_backup(folder: Path, tmp_path: Path) -> None:
    """An opt-out, a bounce, an erasure and an address of nobody, all after the backup; fed in twice as once."""
    backup, kept, live = tmp_path / "backup.db", tmp_path / "opt-outs.jsonl", folder / "perennial.db"
    with sqlite3.connect(live) as connection:
        connection.execute(f"VACUUM INTO '{backup}'")
    connection.close()
    command(folder, "suppress", "ada", "--reason", "opt-out")
    command(folder, "suppress", "bo", "--reason", "manual")
    command(folder, "erase", "cy", "--yes")
    command(folder, "suppress", "nobody@northwind.example")
    command(folder, "opt-outs", "--out", str(kept))
    assert "@" not in kept.read_text(encoding="ascii")
    for path in folder.glob("perennial.db*"):
        path.unlink()
    shutil.copy(backup, live)

    first = json.loads(command(folder, "opt-outs", "--feed", str(kept), "--json"))
    again = json.loads(command(folder, "opt-outs", "--feed", str(kept), "--json"))

    assert first == {"suppressed": 2, "erased": 1, "addresses": 1, "known": 0}
    assert again == {"suppressed": 0, "erased": 0, "addresses": 0, "known": 4}
    leads, suppressed, asked, told = asyncio.run(with_database(folder, _look))
    assert {lead.id for lead in leads if lead.erased_at is not None} == {"cy"}
    assert {(each.lead_id, each.reason) for each in suppressed} == {("ada", "opt-out"), ("bo", "manual")}
    assert {each.enrolment_id for each in asked} == {"new-lead/bo/1", "new-lead/cy/1"}
    assert [event.lead_id for event in told if event.state == "new"] == ["ada"]


async def _look(database: Database) -> tuple[list[LeadRow], list[Suppression], list[AskedRow], list[Event]]:
    return (
        await rows(database, LeadRow),
        await rows(database, Suppression),
        await rows(database, AskedRow),
        await rows(database, Event),
    )


def test_a_line_that_is_none_is_named(folder: Path, tmp_path: Path) -> None:
    """Nothing is changed before the whole file has been read."""
    kept = tmp_path / "opt-outs.jsonl"
    kept.write_text('{"hash": "a", "reason": "manual", "at": "2026-03-03T10:00:00+00:00"}\nada@example.com\n')
    result = invoke("opt-outs", "--feed", str(kept), data_dir=folder)
    assert (result.exit_code, "line 2" in result.output) == (2, True)
