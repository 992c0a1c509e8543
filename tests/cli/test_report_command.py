"""`starter.py report`: what came of it, as a page, as CSV and as JSON."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.leads import BehaviourRow
from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from perennial.platform.settings import load_settings
from tests.builders import ada, enrolment, store, touch
from tests.cli.conftest import invoke

NOW = datetime.now(UTC)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder with a database in which Ada got a mail ten days ago, clicked, and bought for 900 euros."""
    settings = load_settings(data_dir=tmp_path)
    asyncio.run(upgrade(settings.database_url))
    at = NOW - timedelta(days=10)
    did = {"lead_id": "l1", "received_at": NOW}
    money = {"amount": "900", "currency": "EUR"}

    async def keep() -> None:
        database = Database(settings.database_url)
        await store(database, ada(), enrolment(at=at))
        await store(database, touch(state="accepted", at=at))
        await store(
            database,
            BehaviourRow(id="b1", name="email.clicked", touch_id="t1", at=at + timedelta(hours=2), **did),
            BehaviourRow(id="b2", name="deal.won", props=money, at=at + timedelta(days=5), **did),
        )
        await database.close()

    asyncio.run(keep())
    return tmp_path


def test_a_report_is_one_page_with_its_tables_beside_it(data_dir: Path) -> None:
    """And a few sentences on the terminal; only its owner can look into the folder of tables."""
    page = data_dir / "out.html"
    result = invoke("report", "--out", str(page), data_dir=data_dir)
    assert result.exit_code == 0, result.output
    assert "The deals won are worth 900.00 EUR." in result.stdout
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert (data_dir / "out-tables" / "funnel.csv").read_text("utf-8").startswith("stage,leads")


def test_a_report_is_json_for_machines(data_dir: Path) -> None:
    """Of a track and a period, in another currency."""
    rates = data_dir / "rates.csv"
    rates.write_text("currency,since,rate\nEUR,2020-01-01,1.10\n")
    first = (NOW - timedelta(days=20)).date()
    words = (
        "report",
        "--json",
        "--from",
        str(first),
        "--track",
        "new-lead",
        "--currency",
        "usd",
        "--rates",
        str(rates),
    )
    answer = json.loads(invoke(*words, data_dir=data_dir).stdout)
    won, *_ = answer["tables"]["deals"]["rows"]
    assert won == {"outcome": "won", "deals": 1, "amount in USD": "990.00", "average": "990.00"}
    nobody = json.loads(invoke("report", "--json", "--track", "lost-deal", data_dir=data_dir).stdout)
    assert nobody["summary"] == ["Nothing happened in this period: no lead entered a track, and no mail was sent."]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--from", "May"), "--from 'May' is not a day; write 2026-03-31"),
        (("--from", "2026-03-02", "--to", "2026-03-01"), "ends before it begins; swap --from and --to"),
        (("--from", "2999-01-01"), "the period begins on 2999-01-01"),
        (("--track", "nobody"), "no track 'nobody'; known: "),
        (("--zone", "Mars/Base"), "Mars/Base"),
        (("--currency", "euros"), "no ISO 4217 code"),
        (("--rates", "rates.csv"), "name it with --currency"),
        (("--currency", "EUR", "--rates", "nowhere.csv"), "nowhere.csv"),
        (("--out", "/nowhere/report.html"), "cannot be written"),
    ],
)
def test_what_cannot_be_reported_is_refused_with_the_remedy(data_dir: Path, words: tuple[str, ...], says: str) -> None:
    if words[0] == "--out":
        (data_dir / "file").write_text("")
        words = ("--out", str(data_dir / "file" / "report.html"))
    result = invoke("report", *words, data_dir=data_dir)
    assert result.exit_code not in (0, 70)
    assert says in result.output
    assert "Traceback" not in result.output


def test_metrics_by_day_are_written_as_csv(data_dir: Path) -> None:
    """Into a folder that is made; a folder that cannot be is one line of error."""
    folder = data_dir / "metrics"
    assert invoke("export-metrics", str(folder), data_dir=data_dir).exit_code == 0
    header, row = (folder / "mail-by-day.csv").read_text().splitlines()
    assert header == "day,track,piece,sent,delivered,opened,clicked,replied,opted_out,complained,bounced"
    assert row.endswith(",1,1,0,1,0,0,0,0")
    header, *_, last = (folder / "stages-by-day.csv").read_text().splitlines()
    assert header == "day,entered,mailed,engaged,qualified,offered,accepted,opportunity,won"
    assert last.endswith(",0,0,0,0,0,0,0,1")
    refused = invoke("export-metrics", str(folder / "mail-by-day.csv"), data_dir=data_dir)
    assert refused.exit_code != 0
    assert "name another folder" in refused.output


def test_a_trait_that_no_lead_has_is_refused(data_dir: Path) -> None:
    """With one line, and no file."""
    result = invoke("report", "--by", "../shoe", "--out", str(data_dir / "r.html"), data_dir=data_dir)
    assert result.exit_code != 0
    assert "no lead has such a trait" in result.output
    assert not (data_dir / "r.html").exists()
