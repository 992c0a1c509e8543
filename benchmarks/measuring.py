"""How long the report takes over many leads, and how much memory; and Markov's removal effects over many paths.

A lead has an enrolment, 5 mails, 25 behaviours (10 of them of mails) and 2 scores; one in 20 an offer, one in 100 a won
deal. Run: `python -m benchmarks.measuring --leads 200000`, the load that the aims are for.
"""

import argparse
import asyncio
import random
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import text

from benchmarks.report import Row, show
from benchmarks.stand import postgres
from nurture.measures.markov import removal_effects
from nurture.measures.paths import Path as TouchPath
from nurture.measures.paths import PathTouch
from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from perennial.platform.settings import load_settings
from perennial.reports.outcome_page import report_of, write_report
from perennial.reports.outcomes import Scope, read_outcomes
from perennial.reports.period import Period

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
NOW = FIRST + timedelta(days=183)

_START = "timestamptz '2026-01-05'"
_ROWS = """
INSERT INTO leads (id, email, email_key, time_zone, traits, segment, score, stage, band, created_at)
SELECT 'l' || n, 'l' || n, 'l' || n || (CASE WHEN n % 3 = 0 THEN '@gmail.com' ELSE '@x.example' END), 'UTC',
  jsonb_build_object('source', 's' || n % 6), '{{}}', 0, 'awareness', 'cold', {start}
FROM generate_series(1, {leads}) n;
INSERT INTO enrolments (id, lead_id, track, number, status, cause, priority, step, because, started_at)
SELECT 't/l' || n || '/1', 'l' || n, 'new-lead', 1, 'active', '', 0, '', '[]', {start} + n % 60 * interval '1 day'
FROM generate_series(1, {leads}) n;
INSERT INTO touches (id, enrolment_id, lead_id, track, step_key, piece, content_hash, state, reason, at)
SELECT 't' || n || '-' || m, 't/l' || n || '/1', 'l' || n, 'new-lead', 'send:' || m, 'piece-' || (n + m) % 30, '',
  'accepted', '', {start} + (n % 60 + m * 14) * interval '1 day'
FROM generate_series(1, {leads}) n, generate_series(1, 5) m;
INSERT INTO behaviours (id, lead_id, name, subject, props, touch_id, bot, at, received_at)
SELECT 'b' || n || '-' || m, 'l' || n,
  CASE WHEN m > 10 THEN 'page.viewed' WHEN m % 5 = 0 THEN 'email.clicked' ELSE 'email.opened' END, '', '{{}}',
  CASE WHEN m <= 10 THEN 't' || n || '-' || (m % 5 + 1) END, n % 9 = 0,
  {start} + (n % 60 + m * 4) * interval '1 day', {start}
FROM generate_series(1, {leads}) n, generate_series(1, 25) m;
INSERT INTO behaviours (id, lead_id, name, subject, props, bot, at, received_at)
SELECT 'w' || n, 'l' || n, 'deal.won', '', jsonb_build_object('amount', '900', 'currency', 'EUR'), false,
  {start} + interval '150 days', {start} FROM generate_series(1, {leads}, 100) n;
INSERT INTO facts (enrolment_id, seq, kind, key, at, fact)
SELECT 't/l' || n || '/1', m, 'scored', '', {start} + (n % 60 + m * 20) * interval '1 day',
  jsonb_build_object('score', n % 100) FROM generate_series(1, {leads}) n, generate_series(1, 2) m;
INSERT INTO hand_offs (id, enrolment_id, lead_id, step_key, "to", reason, score, at)
SELECT 'h' || n, 't/l' || n || '/1', 'l' || n, 'hand_off', 'sales', '', 80, {start} + interval '100 days'
FROM generate_series(1, {leads}, 20) n;
ANALYZE
"""


def main() -> int:
    """Measure, print the table; 1 if an aim was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measuring", description=__doc__)
    parser.add_argument("--leads", type=int, default=200_000, help="how many leads (default 200,000)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pg-") as server, tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_report_rows(Path(server), Path(folder), arguments.leads))
    rows.append(_markov_row())
    show(rows, title=f"The report of {arguments.leads:,} leads on PostgreSQL")
    return 1 if any(row.met is False for row in rows) else 0


async def _report_rows(server: Path, folder: Path, leads: int) -> list[Row]:
    with postgres(server):
        url = load_settings(data_dir=folder).database_url
        await upgrade(url)
        database = Database(url)
        async with database.writing() as session:
            for statement in _ROWS.format(start=_START, leads=leads).split(";"):
                await session.execute(text(statement))
        began = time.perf_counter()
        async with database.reading() as session:
            period = Period(FIRST, NOW, ZoneInfo("UTC"))
            report = report_of(await read_outcomes(session, Scope(period, NOW, 75)))
        write_report(report, folder / "report.html", folder)
        took = time.perf_counter() - began
        await database.close()
    print(*report.summary, sep="\n", file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [Row("the whole report", took, "s", 30), Row("memory at its highest", peak, "MB", 500)]


def _markov_row() -> Row:
    draw = random.Random(1)
    paths = [
        TouchPath(
            tuple(PathTouch("", f"c{draw.randrange(12)}", FIRST) for _ in range(draw.randint(1, 10))),
            float(draw.random() < 0.2),
        )
        for _ in range(10_000)
    ]
    times = []
    for _ in range(5):
        began = time.process_time()
        removal_effects(paths)
        times.append(time.process_time() - began)
    best = min(times) * 1000
    return Row("Markov, 10,000 different paths of 12 channels", best, "ms", 100)


if __name__ == "__main__":
    sys.exit(main())
