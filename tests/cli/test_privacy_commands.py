"""erase, export, suppress and merge as a person types them, on an installation with a real engine."""

import asyncio
import json
import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import typer
from typer.testing import CliRunner, Result

from models.leads import LeadRow, SuppressedAddress
from nurture.errors import InputError, RefusedError
from perennial.cli import privacy
from perennial.leads.suppression import suppressions
from perennial.platform.database import Database
from tests.builders import does, enrolment, person, rows, settle, store, touch
from tests.mailroom.mails import accepted, request_for
from tests.mailroom.running import running
from tests.privacy.test_erase import everything_about

Found = TypeVar("Found")

app = typer.Typer()
for command in (privacy.erase, privacy.export, privacy.suppress, privacy.merge):
    app.command()(command)


@pytest.fixture
def database(server_address: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Two leads in a data folder of the test's own, and the settings that name it."""
    for name, value in (
        ("PERENNIAL_DATA_DIR", str(data_dir)),
        ("PERENNIAL_SECRET", "a secret of these tests, long enough"),
        ("TEMPORAL_ADDRESS", server_address),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(data_dir)
    database = Database(f"sqlite:///{data_dir / 'perennial.db'}")
    done(database, settle(database, person("ada", first_name="Ada"), person("bo")))
    return database


def done(database: Database, work: Coroutine[Any, Any, Found]) -> Found:
    """Work on the database in an event loop of its own, as each command has one; connections do not outlive it."""

    async def closing() -> Found:
        try:
            return await work
        finally:
            await database.close()

    return asyncio.run(closing())


def told(*words: str) -> Result:
    """What a command answers; an error of ours is raised."""
    result = CliRunner().invoke(app, [*words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def reasons(database: Database, lead: str) -> tuple[str, ...]:
    return done(database, does(database, lambda session: suppressions(session, lead)))


def lead(database: Database, lead_id: str) -> LeadRow:
    (found,) = done(database, rows(database, LeadRow, id=lead_id))
    assert isinstance(found, LeadRow)
    return found


def test_a_lead_is_erased_only_when_it_is_meant(database: Database) -> None:
    """By its address; then the address is unknown, and its id still names what is left."""
    with pytest.raises(InputError, match="--yes"):
        told("erase", "ada@example.com")
    assert lead(database, "ada").erased_at is None
    assert "Erased ada" in told("erase", "ada@example.com", "--yes").output
    assert lead(database, "ada").first_name is None
    with pytest.raises(InputError, match="no lead"):
        told("erase", "ada@example.com", "--yes")
    assert json.loads(told("erase", "ada", "--yes", "--json").output) == {
        "leads": ["ada"],
        "journeys_ended": 0,
        "traces_left": False,
        "histories_left": False,
        "finished": True,
    }


@pytest.mark.parametrize("runs", [True, False], ids=["a mailbox that runs", "its file"])
def test_an_erasure_reaches_the_local_mailbox(database: Database, data_dir: Path, *, runs: bool) -> None:
    """Its mail is forgotten, also what went without a touch; whoever else got mail keeps it."""
    done(database, store(database, enrolment(lead_id="ada"), touch("t-ada", lead_id="ada")))
    with running(data_dir) as mailbox:
        for touch_id, who in (("t-ada", "ada"), ("", "ada"), ("t-bo", "bo")):
            accepted(mailbox, request_for(touch_id, personalizations=[{"to": [{"email": f"{who}@example.com"}]}]))
        if runs:
            told("erase", "ada@example.com", "--yes")
    if not runs:
        told("erase", "ada@example.com", "--yes")

    kept = b"".join(path.read_bytes() for path in data_dir.glob("mailbox.db*"))
    assert b"ada@example.com" not in kept
    assert b"bo@example.com" in kept


def test_an_export_is_printed_or_written_for_its_owner_only(database: Database, tmp_path: Path) -> None:
    """The same document both ways."""
    done(database, store(database, *everything_about()))
    printed = json.loads(told("export", "zeb").output)
    assert printed["leads"][0]["company"] == "Zörn GmbH"
    path = tmp_path / "zeb.json"
    told("export", "zeb", "--out", str(path))
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written | {"exported_at": ""} == printed | {"exported_at": ""}
    assert path.stat().st_mode & 0o077 == 0


def test_a_suppression_is_made_and_lifted_by_hand(database: Database) -> None:
    """Lifting asks for a reason, and for one that is there to lift."""
    told("suppress", "ada", "--reason", "complaint")
    assert reasons(database, "ada") == ("complaint",)
    with pytest.raises(InputError, match="--why"):
        told("suppress", "ada", "--reason", "complaint", "--lift")
    with pytest.raises(RefusedError, match="hard-bounce"):
        told("suppress", "ada", "--reason", "hard-bounce", "--lift", "--why", "works again")
    told("suppress", "ada", "--reason", "complaint", "--lift", "--why", "wrote to us")
    assert reasons(database, "ada") == ()


def test_an_address_of_nobody_is_suppressed_by_its_hash(database: Database) -> None:
    """A list of addresses never to write to may name people we do not know yet."""
    told("suppress", "Eve@Example.com")
    assert len(done(database, rows(database, SuppressedAddress))) == 1
    told("suppress", "eve@example.com", "--lift", "--why", "a mistake")
    assert done(database, rows(database, SuppressedAddress)) == []


@pytest.mark.parametrize(
    "words", [("suppress", "nobody"), ("suppress", "ada", "--reason", "whim"), ("export", "x@y.z")]
)
def test_what_is_not_known_is_bad_input(database: Database, words: tuple[str, ...]) -> None:
    """One line that says what is wrong."""
    with pytest.raises(InputError):
        told(*words)


def test_two_leads_are_merged_by_name(database: Database) -> None:
    """By any of their names; and once more changes nothing."""
    for _ in range(2):
        assert "ada goes on for both" in told("merge", "ada@example.com", "bo").output
    assert lead(database, "bo").merged_into == "ada"


def test_an_erasure_leaves_nothing_in_any_file_of_the_data_folder(database: Database, data_dir: Path) -> None:
    """The write-ahead log keeps what was written; it is emptied, also while others are connected."""
    done(database, settle(database, person("zeb", first_name="Zebulonia", traits={"topic": "quackenbush"})))
    with sqlite3.connect(data_dir / "perennial.db") as other:
        other.execute("SELECT * FROM leads").fetchall()
        done(database, settle(database, person("zia", first_name="Zebulonia")))
        for lead_id in ("zeb", "zia"):
            assert b"Zebulonia" in b"".join(path.read_bytes() for path in data_dir.iterdir() if path.is_file())
            told("erase", lead_id, "--yes")
    left = b"".join(path.read_bytes() for path in data_dir.iterdir() if path.is_file())
    assert b"Zebulonia" not in left
    assert b"quackenbush" not in left
