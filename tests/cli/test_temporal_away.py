"""What stops mail is done at the controls while Temporal is away: committed first, and told by the relay later."""

import asyncio
import re
import socket
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.journeys import AskedRow
from models.leads import Identity, LeadRow, Suppression
from perennial.platform.database import Database
from tests.builders import consenting, does, enrolment, store
from tests.cli.conftest import TUESDAY, invoke

MAPPING = """
source = "list"
basis = "consent"
[lead]
email = "Email"
[[suppress]]
reason = "opt-out"
column = "Out"
values = ["yes"]
"""


@pytest.fixture
def away(data_dir: Path) -> Path:
    """A data folder with two leads on a journey each, whose Temporal does not answer."""
    database = Database(f"sqlite:///{data_dir / 'perennial.db'}")

    async def fill() -> None:
        rows = [row for lead in ("ada", "bo") for row in consenting(lead, at=TUESDAY)]
        await store(database, *rows, *(enrolment(lead_id=lead) for lead in ("ada", "bo")))
        await database.close()

    asyncio.run(fill())
    return data_dir


def command(folder: Path, *words: str) -> str:
    """What a command answers; it succeeds, though nobody listens on Temporal's port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = invoke(*words, data_dir=folder, TEMPORAL_ADDRESS=f"127.0.0.1:{port}")
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def left(folder: Path) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """What is committed: the suppressions, the events in the outbox, and what is asked of which journey."""
    database = Database(f"sqlite:///{folder / 'perennial.db'}")

    async def look(session: AsyncSession) -> tuple[list[str], list[str], list[tuple[str, str]]]:
        suppressed = list(await session.scalars(select(Suppression.reason)))
        waiting = [str(body["name"]) for body in await session.scalars(select(Event.body).where(Event.state == "new"))]
        asked = [tuple(row) for row in await session.execute(select(AskedRow.enrolment_id, AskedRow.verb))]
        return suppressed, waiting, asked  # type: ignore[return-value]

    async def once() -> tuple[list[str], list[str], list[tuple[str, str]]]:
        try:
            return await does(database, look)
        finally:
            await database.close()

    return asyncio.run(once())


def test_a_day_is_told_as_a_day_and_never_with_a_time(away: Path) -> None:
    """Support reads "2 May", whatever the clock of the database says."""
    said = command(away, "signal", "ada", "deal.lost", "--at", "2026-03-02", "--id", "lost")
    assert "Mon 02 Mar 2026 lost" in said
    assert re.search(r"Mon 02 Mar 2026 [a-z ]*lost", command(away, "show", "ada"))


def test_an_opt_out_by_signal_is_committed_and_waits_in_the_outbox(away: Path) -> None:
    """Suppressed at once; the journey hears of it from the relay."""
    said = command(away, "signal", "ada", "lead.opted_out")
    assert "Temporal is away: the relay tells the journeys once it is back." in said
    assert left(away) == (["opt-out"], ["lead.opted_out"], [])


@pytest.mark.parametrize(
    ("reason", "waiting", "asked"),
    [("complaint", ["email.complained"], []), ("manual", [], [("new-lead/ada/1", "exit")])],
)
def test_a_suppression_is_committed_with_what_its_journeys_have_to_hear(
    away: Path, reason: str, waiting: list[str], asked: list[tuple[str, str]]
) -> None:
    """As a behaviour, on which tracks have rules, or as an exit."""
    assert "the relay tells" in command(away, "suppress", "ada", "--reason", reason)
    assert left(away) == ([reason], waiting, asked)


def test_an_erasure_deletes_at_once_and_asks_the_journeys_to_end(away: Path) -> None:
    """And says what is left to do."""
    assert "Then erase it again" in command(away, "erase", "ada", "--yes")
    assert left(away)[2] == [("new-lead/ada/1", "exit")]
    database = Database(f"sqlite:///{away / 'perennial.db'}")

    async def address() -> str:
        try:
            return (await does(database, lambda session: session.get_one(LeadRow, "ada"))).email
        finally:
            await database.close()

    assert asyncio.run(address()) == "erased"


@pytest.mark.parametrize("verb", ["pause", "exit"])
def test_a_persons_word_is_kept_until_the_journey_hears_it(away: Path, verb: str) -> None:
    """The gate heeds it at once."""
    assert "the relay tells" in command(away, verb, "--lead", "ada")
    assert left(away)[2] == [("new-lead/ada/1", verb)]


def test_an_imports_opt_outs_ask_the_journeys_to_end_in_the_transaction_that_suppresses(
    away: Path, tmp_path: Path
) -> None:
    """A run that is killed after it, or meets Temporal away, leaves no journey running."""
    rows, mapping = tmp_path / "leads.csv", tmp_path / "mapping.toml"
    rows.write_text("Email,Out\nada@northwind.example,yes\nbo@northwind.example,no\n")
    mapping.write_text(MAPPING)
    said = command(away, "import", str(rows), "--map", str(mapping))
    assert "asked to end" in said
    assert left(away) == (["opt-out"], [], [("new-lead/ada/1", "exit")])


def test_an_id_that_no_column_holds_is_refused_in_one_line(away: Path) -> None:
    """Also on SQLite, which would have taken it."""
    result = invoke("signal", "ada", "demo.requested", "--id", "x" * 65, data_dir=away)
    assert (result.exit_code, "1 to 64 characters, not 65" in result.output) == (2, True)


def test_a_wrong_user_id_is_undone_with_a_dry_run_first(away: Path) -> None:
    """What would move is said, then moved; an unknown one is an error with its remedy."""
    database = Database(f"sqlite:///{away / 'perennial.db'}")

    async def bind() -> None:
        await store(database, Identity(kind="user", value="7", lead_id="ada", at=TUESDAY))
        await database.close()

    asyncio.run(bind())
    assert "Nothing was changed" in command(away, "unbind", "7", "--to", "bo", "--dry-run")
    assert "was ada's, and is bo's" in command(away, "unbind", "7", "--to", "bo")
    assert "bo@" in command(away, "show", "7")
    assert "nobody's until it says who it is" in command(away, "unbind", "7")
    unknown = invoke("unbind", "7", data_dir=away)
    assert unknown.exit_code == 2
    assert "no lead has the user id" in unknown.output
