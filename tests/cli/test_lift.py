"""`lift`: what a dry run says, and what is lifted."""

import asyncio
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from models.intake import Event
from models.leads import Suppression
from nurture.errors import InputError
from perennial.cli.lift import lift
from perennial.leads.suppression import suppressions
from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from tests.builders import NOON, does, person, settle, store

app = typer.Typer()
app.command()(lift)


@pytest.fixture
def database(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A data folder with two leads: both bounced because of our DNS, and one opted out besides."""
    monkeypatch.setenv("PERENNIAL_DATA_DIR", str(data_dir))
    url = f"sqlite:///{data_dir / 'perennial.db'}"
    database = Database(url)

    async def fill() -> None:
        await upgrade(url)
        await settle(database, person("ada"), person("bo"))
        for number, lead in enumerate(("ada", "bo")):
            body = {"event": "bounce", "reason": "550 5.1.8 Domain of sender address does not exist"}
            body["email"] = f"{lead}@example.com"
            await store(
                database,
                Suppression(lead_id=lead, reason="hard-bounce", source="sendgrid", at=NOON),
                Event(source="sendgrid", event_id=lead, fingerprint=f"f{number}", received_at=NOON, body=body),
            )
        await store(database, Suppression(lead_id="bo", reason="opt-out", source="page", at=NOON))
        await database.close()

    asyncio.run(fill())
    return database


def reasons(database: Database, lead: str) -> tuple[str, ...]:
    async def ask() -> tuple[str, ...]:
        found = await does(database, lambda session: suppressions(session, lead))
        await database.close()
        return found

    return asyncio.run(ask())


def told(*words: str) -> str:
    result = CliRunner().invoke(app, [*words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_dry_run_says_who_it_would_be_and_changes_nothing(database: Database) -> None:
    """With the words that were said, and how many were told them."""
    assert json.loads(told("--dry-run", "--json"))["leads"] == ["ada", "bo"]
    assert "2 were told: 550 5.1.8 Domain of sender address does not exist" in told("--dry-run")
    assert reasons(database, "ada") == ("hard-bounce",)


def test_hard_bounces_are_lifted_and_opt_outs_are_not(database: Database) -> None:
    """A second run finds nobody."""
    assert "Lifted the suppression of 2 leads" in told("--saying", "sender address", "--why", "our DNS was broken")
    assert reasons(database, "ada") == ()
    assert reasons(database, "bo") == ("opt-out",)
    assert "Lifted the suppression of 0 leads" in told("--why", "again")


def test_lifting_needs_a_reason(database: Database) -> None:
    """It is kept in the consent ledger."""
    with pytest.raises(InputError, match="--why"):
        told("--saying", "sender address")
    assert reasons(database, "ada") == ("hard-bounce",)
