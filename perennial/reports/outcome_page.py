"""The report of what came of it: words, tables and notes, as a page, as CSV and as JSON."""

from collections.abc import Callable
from pathlib import Path

from perennial.reports.outcome_tables import tables_of
from perennial.reports.outcome_words import notes_of, summary_of
from perennial.reports.outcomes import Outcomes
from perennial.reports.page import Report, render_report


def report_of(found: Outcomes, current: Callable[[str], str] = str, track: str | None = None) -> Report:
    """The report; `current` is the present name of a track that was renamed, `track` the one that it is about."""
    period = found.scope.period
    which = f"the track {current(track)}" if track else "all tracks"
    return Report(
        "What came of it",
        f"{period}, days of {period.zone.key}, {which}",
        found.scope.now,
        summary_of(found),
        tables_of(found, current),
        notes_of(found),
    )


def write_report(report: Report, path: Path, folder: Path) -> None:
    """Write the page, and each table as CSV into an existing folder. Raises OSError."""
    path.write_text(render_report(report), "utf-8")
    for table in report.tables:
        table.write_csv(folder)
