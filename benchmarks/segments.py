"""How long segments take over many leads on PostgreSQL: who is in each, and a sweep beside enrolling by command.

A lead has 20 behaviours and two traits, every second points, every third a journey. Both ways of enrolling write their
rows and start no workflow. Run: `python -m benchmarks.segments`; the aims are for 100,000 leads.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from benchmarks.report import Row, show
from benchmarks.stand import postgres
from models.messages import Journey, Request
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import Registry, track
from nurture.people.scoring import DEFAULT_MODEL
from nurture.segments import (
    Predicate,
    days,
    engaged,
    form_submitted,
    in_bucket,
    in_no_track,
    in_order,
    last,
    page_viewed,
    prop,
    score,
    segment,
    segment_entered,
    stage,
    trait,
)
from nurture.segments.named import Segments
from nurture.timing.clock import Clock
from perennial.journeys.enrolling import Enroller
from perennial.journeys.sweeping import AT_ONCE, Sweeper
from perennial.leads.scores_now import ScoresNow
from perennial.platform.database import Database
from perennial.platform.migrations import upgrade
from perennial.platform.settings import load_settings
from perennial.segments.sql import ids_of

NOW = datetime(2026, 7, 6, 9, tzinfo=UTC)
_ROWS = """
INSERT INTO leads (id, email, email_key, time_zone, traits, segment, score, stage, band, created_at)
SELECT 'l' || n, 'l' || n || '@x.example', 'l' || n || '@x.example', 'UTC',
  jsonb_build_object('industry', (ARRAY['finance', 'retail', 'health', 'energy'])[1 + n % 4], 'seats', n % 1000),
  '{{}}', n % 100, 'awareness', 'cold', timestamptz '2026-01-05' FROM generate_series(1, {leads}) n;
INSERT INTO behaviours (id, lead_id, name, subject, props, bot, at, received_at)
SELECT 'b' || n || '-' || m, 'l' || n,
  CASE m % 10 WHEN 0 THEN 'email.clicked' WHEN 1 THEN 'email.opened' WHEN 2 THEN 'form.submitted'
    ELSE 'page.viewed' END,
  CASE WHEN m % 10 < 3 THEN 'piece-' || m WHEN m % 3 = 0 THEN '/pricing/' || (n % 40)
    ELSE '/page-' || ((n + m) % 500) END,
  jsonb_build_object('percent', (n * m) % 100), n % 9 = 0,
  timestamptz '2026-07-06' - (((n * 7 + m * 13) % 180) || ' days')::interval, timestamptz '2026-07-06'
FROM generate_series(1, {leads}) n, generate_series(1, 20) m;
INSERT INTO score_entries (lead_id, rule, behaviour_id, points, reason, at)
SELECT 'l' || n, 'click', 'b' || n || '-10', 10, '', timestamptz '2026-06-01' FROM generate_series(1, {leads}, 2) n;
INSERT INTO enrolments (id, lead_id, track, number, status, cause, priority, step, because, started_at)
SELECT 't/l' || n || '/1', 'l' || n, 'new-lead', 1, 'active', '', 0, '', '[]', timestamptz '2026-06-01'
FROM generate_series(1, {leads}, 3) n;
ANALYZE
"""
AIM = 2.0
ASKED: dict[str, Predicate] = {
    "an industry that looks at prices": (trait("industry") == "finance")
    & page_viewed("/pricing*").times(at_least=2, within=days(14)),
    "gone quiet": stage.is_in("lead", "mql") & ~engaged(within=days(60)) & in_no_track(),
    "prices and then a form, or 50 seats": in_order(page_viewed("/pricing*"), form_submitted())
    | (trait("seats") >= 50),
    "read to its end, last a month ago": last(page_viewed().having(prop("percent") >= 75), at_least=days(30)),
    "warm": score >= 40,
    "a tenth, by chance": in_bucket("trial", 0.1),
}


def main() -> int:
    """Measure, print the table; 1 if the aim was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.segments", description=__doc__)
    parser.add_argument("--leads", type=int, default=100_000, help="how many leads (default 100,000)")
    parser.add_argument("--times", type=int, default=3, help="how often each is asked (default 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pg-") as server, tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_rows(Path(server), Path(folder), arguments.leads, arguments.times))
    show(rows, title=f"Segments of {arguments.leads:,} leads with {arguments.leads * 20:,} behaviours on PostgreSQL")
    return 1 if any(row.met is False for row in rows) else 0


async def _rows(server: Path, folder: Path, leads: int, times: int) -> list[Row]:
    with postgres(server):
        url = load_settings(data_dir=folder).database_url
        await upgrade(url)
        database = Database(url)
        async with database.writing() as session:
            for statement in _ROWS.format(leads=leads).split(";"):
                await session.execute(text(statement))
        rows = [Row(name, await _median(database, asked, times), "s", AIM) for name, asked in ASKED.items()]
        rows += await _enrolling(database, min(leads, 10_000))
        await database.close()
    return rows


class _Rows(Enroller):
    """Writes enrolments, and starts no workflow."""

    async def start(self, track: str, journey: Journey, nudge: Request | None = None) -> bool:  # noqa: ARG002 - as is
        """As if it was started."""
        return True


async def _enrolling(database: Database, leads: int) -> list[Row]:
    """Enrol so many by command, then as many others by a sweep, a few at once each."""
    some = segment("some", trait("seats") < 1000 * leads * 2 / 100_000)
    made = track("swept", enters_on=segment_entered(some))(_nothing), track("told")(_nothing)
    nobody: Any = None
    enroller = _Rows(database, nobody, Registry(made), "nurture", Clock.production())
    async with database.reading() as session:
        ids = list(await session.scalars(await ids_of(session, some, ScoresNow(DEFAULT_MODEL, NOW))))[:leads]
    began = time.perf_counter()
    waiting = iter(ids)

    async def lane() -> None:
        for lead_id in waiting:
            await enroller.begin("told", lead_id, NOW, "by hand")

    await asyncio.gather(*(lane() for _ in range(AT_ONCE)))
    by_command = (time.perf_counter() - began) / len(ids)
    began = time.perf_counter()
    (swept,) = await Sweeper(enroller, Segments((some,)), lambda: NOW).sweep()
    by_sweep = (time.perf_counter() - began) / swept.results["enrolled"]
    return [
        Row("enrol one by command, without its workflow", by_command * 1000, "ms"),
        Row("enrol one by a sweep, without its workflow", by_sweep * 1000, "ms", by_command * 1000 * 1.25),
    ]


async def _nothing(lead: Lead) -> Outcome:
    """Waits."""
    await lead.wait(days=7)
    return nurtured


async def _median(database: Database, asked: Predicate, times: int) -> float:
    """The median of this many evaluations, in seconds."""
    took = []
    for number in range(times):
        began = time.perf_counter()
        async with database.reading() as session:
            ids = await ids_of(session, asked, ScoresNow(DEFAULT_MODEL, NOW + timedelta(seconds=number)))
            await session.scalar(select(func.count()).select_from(ids.subquery()))
        took.append(time.perf_counter() - began)
    return statistics.median(took)


if __name__ == "__main__":
    raise SystemExit(main())
