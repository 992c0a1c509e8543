"""`report`: what came of it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment
from models.leads import LeadRow
from nurture.errors import InputError, SettingsError
from nurture.journey.track import Registry
from nurture.measures.money import Rates, read_money
from perennial.app.programme import programme_of
from perennial.cli.opening import opened_database, run, tell_broken
from perennial.cli.options import Json
from perennial.cli.printing import escape, out, print_json
from perennial.leads.countries import valid_time_zone
from perennial.platform.private_files import private_folder
from perennial.reports.outcome_page import report_of, write_report
from perennial.reports.outcomes import Scope, read_outcomes
from perennial.reports.page import Report
from perennial.reports.period import Period
from perennial.reports.rates import read_rates


@dataclass(frozen=True, slots=True)
class Asked:
    """The options, read as far as they can be without a database."""

    first: date | None
    last: date | None
    zone: ZoneInfo
    track: str | None
    rates: Rates | None
    by: str = "source"


def report(
    *,
    from_: Annotated[
        str | None, typer.Option("--from", help="Its first day, 2026-01-01; else the first there is.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Its last day, 2026-06-30; else today.")] = None,
    track: Annotated[str | None, typer.Option(help="One track alone, as `tracks` names it.")] = None,
    by: Annotated[str, typer.Option(help="The trait to tell leads apart by, such as industry or topic.")] = "source",
    zone: Annotated[str, typer.Option(help="The company's time zone: days and weeks are its own.")] = "UTC",
    currency: Annotated[str | None, typer.Option(help="The currency to report in; else that of most deals.")] = None,
    rates: Annotated[
        Path | None, typer.Option(help="Exchange rates: a CSV with currency, since, rate; needs --currency.")
    ] = None,
    out_: Annotated[Path, typer.Option("--out", help="The file to write; its tables go beside it as CSV.")] = Path(
        "report.html"
    ),
    as_json: Json = False,
) -> None:
    """Report what came of it: funnel, velocity, engagement, sales' response, deals, and which pieces came before them.

    One HTML file that needs nothing else. With --json the measures alone, and no file.
    """
    asked = Asked(
        day_of(from_, "--from"), day_of(to, "--to"), ZoneInfo(valid_time_zone(zone)), track, _rates(currency, rates), by
    )
    found = run(_report(asked))
    if as_json:
        print_json(found.as_json())
        return
    folder = write(found, out_)
    console = out()
    console.print(f"[bold]{escape(found.title)}[/]  {escape(found.about)}")
    for line in found.summary:
        console.print(f"  {escape(line)}")
    console.print(f"The report: {escape(str(out_))}; its tables as CSV: {escape(str(folder))}")


def write(found: Report, path: Path) -> Path:
    """Write the page, and its tables into a folder beside it. Raises SettingsError that names the file."""
    folder = path.with_name(f"{path.stem}-tables")
    try:
        private_folder(folder)
        write_report(found, path, folder)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error.strerror or error}; name another file with --out"
        ) from None
    return folder


async def _report(asked: Asked) -> Report:
    async with opened_database() as inst, inst.database.reading() as session:
        programme = programme_of(inst.settings)
        tracks = tell_broken(programme.tracks)
        now = inst.now()
        await _require_trait(session, asked.by)
        period = await period_of(session, asked, now)
        scope = Scope(
            period, now, programme.scoring.mql, await names_of(session, asked.track, tracks), asked.rates, asked.by
        )
        return report_of(await read_outcomes(session, scope), tracks.current, asked.track)


async def _require_trait(session: AsyncSession, name: str) -> None:
    """Raise InputError for a trait that no lead has; leads without a source are told all the same."""
    has_it = select(LeadRow.id).where(LeadRow.traits[name].as_string().is_not(None)).limit(1)
    if name != "source" and await session.scalar(has_it) is None:
        raise InputError(f"--by {name!r}: no lead has such a trait; write one that your import maps, such as industry")


async def period_of(session: AsyncSession, asked: Asked, now: datetime) -> Period:
    """The period that is asked for. Raises InputError for one that is empty."""
    first = asked.first
    if first is None:
        earliest = await session.scalar(select(func.min(Enrolment.started_at))) or now
        first = min(earliest, now - timedelta(seconds=1)).astimezone(asked.zone).date()
    last = asked.last or max(first, now.astimezone(asked.zone).date())
    return Period.of_days(first, last, asked.zone, now)


async def names_of(session: AsyncSession, track: str | None, tracks: Registry) -> Collection[str] | None:
    """All names that a track has had. Raises InputError for one that nobody was ever on."""
    if track is None:
        return None
    stored = set(await session.scalars(select(Enrolment.track).distinct()))
    names = {name for name in {*stored, *tracks} if tracks.current(name) == tracks.current(track)}
    if not names:
        known = ", ".join(sorted({*tracks, *stored}))
        raise InputError(f"no track {track!r}; known: {known}")
    return names


def day_of(text: str | None, option: str) -> date | None:
    """A day from an option. Raises InputError."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text!r} is not a day; write 2026-03-31") from None


def _rates(currency: str | None, file: Path | None) -> Rates | None:
    if currency is None:
        if file is not None:
            raise InputError("--rates says what currencies are worth in another one: name it with --currency")
        return None
    into = read_money(0, currency).currency
    return Rates(into) if file is None else read_rates(file, into)
