"""The demo ends with a report, and its figures agree with the demo's own ledger."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.paths import ROOT

COUNTS = {
    "entered a track": "SELECT count(DISTINCT lead_id) FROM enrolments",
    "got a mail": "SELECT count(DISTINCT lead_id) FROM touches WHERE state = 'accepted'",
    "offered to sales": "SELECT count(DISTINCT lead_id) FROM hand_offs",
    "accepted by sales (SQL)": "SELECT count(DISTINCT lead_id) FROM behaviours WHERE name = 'sales.accepted'",
}
MAILS = "SELECT piece, count(*) FROM touches WHERE state = 'accepted' GROUP BY piece"
CLICKED = """
    SELECT count(*) FROM touches WHERE state = 'accepted' AND delivery NOT IN ('bounced', 'dropped')
    AND id IN (SELECT touch_id FROM behaviours WHERE name = 'email.clicked' AND NOT bot)
    AND id NOT IN (SELECT touch_id FROM behaviours WHERE name = 'email.bounced' AND touch_id IS NOT NULL)
"""


def run(data_dir: Path, *words: str) -> dict[str, Any]:
    """The JSON that a command answers with."""
    command = [sys.executable, "starter.py", "--data-dir", str(data_dir), *words, "--json"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


@pytest.mark.slow
def test_the_report_agrees_with_the_demos_ledger(tmp_path: Path) -> None:
    """Each figure against one plain count of the ledger, once the demo has stopped and nothing is on its way."""
    ended = run(tmp_path, "demo", "--leads", "60", "--months", "1.5", "--speed", "1d/s")
    page = tmp_path / "demo" / "report.html"
    assert ended["report"]["summary"][0].startswith("In 46 days")
    assert page.read_text("utf-8").startswith("<!doctype html>")

    tables = run(tmp_path / "demo", "report")["tables"]
    with closing(sqlite3.connect(tmp_path / "demo" / "perennial.db")) as ledger:
        mails = dict(ledger.execute(MAILS).fetchall())
        (clicked,) = ledger.execute(CLICKED).fetchone()
        stages = {row["stage"]: row["leads"] for row in tables["funnel"]["rows"]}
        assert {stage: ledger.execute(count).fetchone()[0] for stage, count in COUNTS.items()} == {
            stage: stages[stage] for stage in COUNTS
        }
    assert sum(mails.values()) > 0
    for table in ("tracks", "pieces", "mailbox-providers"):
        assert sum(row["sent"] for row in tables[table]["rows"]) == sum(mails.values())
        assert sum(row["clicked"]["hits"] for row in tables[table]["rows"]) == clicked
    assert {row["piece"]: row["sent"] for row in tables["pieces"]["rows"]} == mails
