"""`export-metrics`: the measures by day, as CSV."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from nurture.errors import SettingsError
from perennial.app.programme import programme_of
from perennial.cli.opening import opened_database, run, tell_broken
from perennial.cli.options import Json
from perennial.cli.printing import counted, escape, out, print_json
from perennial.cli.report import Asked, day_of, names_of, period_of
from perennial.leads.countries import valid_time_zone
from perennial.platform.private_files import private_folder
from perennial.reports.by_day import read_days
from perennial.reports.outcomes import Scope
from perennial.reports.tables import Table


def export_metrics(
    folder: Annotated[Path, typer.Argument(help="Where the files go; it is made if missing.")] = Path("metrics"),
    *,
    from_: Annotated[
        str | None, typer.Option("--from", help="The first day, 2026-01-01; else the first there is.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="The last day, 2026-06-30; else today.")] = None,
    track: Annotated[str | None, typer.Option(help="One track alone, as `tracks` names it.")] = None,
    zone: Annotated[str, typer.Option(help="The company's time zone: days are its own.")] = "UTC",
    as_json: Json = False,
) -> None:
    """Write the measures by day as CSV, for your own tools: mail-by-day.csv and stages-by-day.csv.

    They hold counts and no person. With --json the counts alone, and no file.
    """
    asked = Asked(day_of(from_, "--from"), day_of(to, "--to"), ZoneInfo(valid_time_zone(zone)), track, None)
    tables = run(_read(asked))
    if as_json:
        print_json({table.name: table.as_json() for table in tables})
        return
    try:
        private_folder(folder)
        written = [(table.write_csv(folder), len(table.rows)) for table in tables]
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror or error}; name another folder") from None
    for path, rows in written:
        out().print(f"{escape(str(path))}: {counted(rows, 'row')}")


async def _read(asked: Asked) -> tuple[Table, ...]:
    async with opened_database() as inst, inst.database.reading() as session:
        programme = programme_of(inst.settings)
        tracks = tell_broken(programme.tracks)
        now = inst.now()
        period = await period_of(session, asked, now)
        names = await names_of(session, asked.track, tracks)
        return await read_days(session, Scope(period, now, programme.scoring.mql, names), tracks.current)
