"""Leads in, onto tracks, and what they do: `import`, `leads`, `enrol`, `signal`, `renurture`."""

from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import func, select

from models.journeys import Enrolment
from models.leads import LeadRow
from nurture.errors import InputError, RefusedError
from nurture.people.behaviours import behaviour_kind
from perennial.cli.control import end_suppressed
from perennial.cli.shared import (
    Json,
    for_each,
    leads_where,
    moment_of,
    opened,
    opened_database,
    out,
    pair_of,
    print_json,
    progress,
    rate_of,
    run,
    tell_refusals,
)
from perennial.intake.reports import Receipt, Report
from perennial.leads.importing.importer import ImportReport, import_leads
from perennial.leads.importing.leads_file import check_file, read_leads, read_mapping, rejects_file, rejects_path
from perennial.leads.lookup import require_lead
from perennial.leads.selection import parse_where, where_clause
from perennial.platform.secrets import secret_of

ASAP = datetime.min.replace(tzinfo=UTC)
"""Stands for now, until the clock is known."""

Where = Annotated[
    str | None, typer.Option(help='A filter, such as "industry=retail score>=40"; names and values by `leads`.')
]
Rate = Annotated[str | None, typer.Option(help="At most so many leads, such as 50/s or 600/m.")]


def import_(
    file: Annotated[Path, typer.Argument(help="The leads, as .csv or .csv.gz in UTF-8.", show_default=False)],
    mapping: Annotated[
        Path,
        typer.Option("--map", help="Which column is what (TOML); sample/mapping.toml explains.", show_default=False),
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="Where bad rows go, each with its reason; else beside FILE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Import leads from a CSV file; importing it again changes nothing.

    Bad rows are left out and kept with their row numbers and reasons in a rejects file; opt-outs in the file become
    suppressions at once.
    """
    bad = rejects or rejects_path(file)
    report, ended = run(_import(file, mapping, dry_run=dry_run, bad=bad))
    if as_json:
        print_json(
            {
                **{name: getattr(report, name) for name in ImportReport.__dataclass_fields__},
                "dry_run": dry_run,
                "rejects": str(bad) if report.rejected else None,
                "journeys_ended": ended,
            }
        )
        return
    console = out()
    would = "would be " if dry_run else ""
    console.print(f"[bold]{report.read:,} rows read[/]{' (dry run: nothing was changed)' if dry_run else ''}")
    for count, what in (
        (report.added, f"{would}added"),
        (report.changed, f"{would}changed"),
        (report.unchanged, "unchanged"),
        (report.rejected, f"{would}rejected{f', see {bad}' if report.rejected else ''}"),
    ):
        console.print(f"  {count:>7,}  {escape(what)}")
    if report.suppressed:
        console.print(f"{report.suppressed:,} are never to be mailed, {report.opted_out:,} of them by their own wish")
    if ended:
        console.print(f"{ended:,} running journeys were asked to end for that")
    if report.added and not dry_run:
        console.print("Next: [bold]starter.py enrol new-lead --all[/]")


async def _import(file: Path, mapping: Path, *, dry_run: bool, bad: Path) -> tuple[ImportReport, int]:
    columns = read_mapping(mapping)
    found = check_file(file, columns)
    async with opened_database(to_write=not dry_run) as inst:
        done = 0
        with rejects_file(bad, found.columns) as keep, progress("importing", found.rows) as advance:

            def told(read: int) -> None:
                nonlocal done
                advance(read - done)
                done = read

            report = await import_leads(
                inst.database,
                read_leads(file, columns),
                at=inst.now(),
                dry_run=dry_run,
                on_progress=told,
                on_reject=keep,
                secret=secret_of(inst.settings),
            )
        return report, 0 if dry_run else await end_suppressed(inst, report.now_suppressed)


def leads(
    where: Where = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to list.")] = 20,
    as_json: Json = False,
) -> None:
    """List leads, the warmest first: all, or those that a filter finds."""
    total, found, on = run(_leads(where, limit))
    if as_json:
        print_json({"total": total, "leads": [{**_profile(lead), "tracks": on.get(lead.id, [])} for lead in found]})
        return
    console = out()
    table = Table(box=None, pad_edge=False, header_style="bold")
    rows = [
        (
            lead.id,
            lead.email,
            str(lead.score),
            lead.stage,
            ", ".join(on.get(lead.id, [])),
            " ".join(f"{name}={value}" for name, value in sorted(lead.traits.items())),
        )
        for lead in found
    ]
    for number, name in enumerate(("id", "e-mail", "score", "stage", "on", "traits")):
        widest = max(len(name), *(len(row[number]) for row in rows)) if rows else 0
        justify: Literal["left", "right"] = "right" if name == "score" else "left"
        table.add_column(name, justify=justify, no_wrap=True, min_width=None if name == "traits" else widest)
    for row in rows:
        table.add_row(*map(escape, row))
    if found:
        console.print(table)
    console.print(f"{total:,} leads" + (f", {len(found)} shown (--limit)" if total > len(found) else ""))


async def _leads(where: str | None, limit: int) -> tuple[int, list[LeadRow], dict[str, list[str]]]:
    async with opened_database() as inst, inst.database.reading() as session:
        clause = await where_clause(session, parse_where(where) if where is not None else ())
        total = await session.scalar(select(func.count()).select_from(LeadRow).where(clause)) or 0
        found = list(
            await session.scalars(select(LeadRow).where(clause).order_by(LeadRow.score.desc(), LeadRow.id).limit(limit))
        )
        on: dict[str, list[str]] = {}
        stays = select(Enrolment.lead_id, Enrolment.track).where(
            Enrolment.lead_id.in_([lead.id for lead in found]), Enrolment.status != "finished"
        )
        for lead_id, track in await session.execute(stays.order_by(Enrolment.track)):
            on.setdefault(lead_id, []).append(track)
        return total, found, on


def _profile(lead: LeadRow) -> dict[str, object]:
    hidden = {"email_key", "erased_at"}
    return {column.key: getattr(lead, column.key) for column in LeadRow.__table__.columns if column.key not in hidden}


def enrol(
    track: Annotated[str, typer.Argument(help="The track, as `starter.py tracks` names it.", show_default=False)],
    *,
    lead: Annotated[str | None, typer.Option(help="One lead, by id, e-mail address or external id.")] = None,
    where: Where = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every lead.")] = False,
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Put leads on a track: one, those a filter finds, or all.

    Cut short, run the same again: it takes up where it stopped. A lead that a rule keeps out is counted with
    the reason; for a single lead that is exit code 3.
    """
    if (lead is not None) + (where is not None) + everyone != 1:
        raise InputError("say who: one of --lead LEAD, --where FILTER or --all")
    if lead is not None:
        enrolment = run(_enrol_one(track, lead))
        if as_json:
            print_json({"enrolment": enrolment, "enrolled": 1})
        else:
            out().print(f"Enrolled on [bold]{track}[/]. Follow it with [bold]starter.py show {escape(lead)}[/]")
        return
    answers = run(_enrol_many(track, where, rate_of(rate)))
    if as_json:
        print_json(dict(answers))
        return
    console = out()
    console.print(f"[bold]{answers['enrolled'] + answers['resumed']:,} leads enrolled on {track}[/]")
    if answers["resumed"]:
        console.print(f"  {answers['resumed']:>7,}  of them were left over from an earlier run")
    if answers["waiting"]:
        console.print(f"  {answers['waiting']:>7,}  enrolled earlier, waiting for a worker (`starter.py worker`)")
    tell_refusals(console, answers)


async def _enrol_one(track: str, name: str) -> str:
    async with opened() as inst:
        async with inst.database.reading() as session:
            lead = await require_lead(session, name)
        begun = await inst.enroller.begin(track, lead.id, inst.now(), "by hand")
        if not begun.started:
            raise RefusedError(f"already on {track} since {begun.at:%Y-%m-%d}, and waiting for a worker to take it up")
        return begun.enrolment_id


async def _enrol_many(track: str, where: str | None, rate: float | None) -> Counter[str]:
    async with opened() as inst:
        name = inst.tracks[track].name
        async with inst.database.reading() as session:
            left = [each.lead_id for each in await inst.enroller.unfinished(session) if each.track == name]
            found = await leads_where(session, where)
        before = set(left)

        async def one(lead_id: str) -> str:
            begun = await inst.enroller.begin(name, lead_id, inst.now(), "by hand")
            return "enrolled" if lead_id not in before else "resumed" if begun.started else "waiting"

        return await for_each(
            [*left, *(lead_id for lead_id in found if lead_id not in before)],
            one,
            label=f"enrolling on {name}",
            rate=rate,
        )


def signal(
    lead: Annotated[str, typer.Argument(help="Id, e-mail address or external id.", show_default=False)],
    behaviour: Annotated[str, typer.Argument(help="What it did, such as email.clicked.", show_default=False)],
    *,
    prop: Annotated[list[str] | None, typer.Option(help="A property, name=value; may be given again.")] = None,
    at: Annotated[str | None, typer.Option(help="When it happened (UTC unless it says); else now.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Its id: reported twice, it counts once.")] = None,
    as_json: Json = False,
) -> None:
    """Report what a lead did: it is recorded, scored, and told to its journeys.

    Sales answers the same way: sales.accepted, sales.rejected, deal.lost.
    """
    kind = behaviour_kind(behaviour)
    props = dict(pair_of(each, "--prop") for each in prop or ())
    when = None if at is None else moment_of(at, "--at")
    told = Report(id=id_ or f"cli-{token_hex(8)}", lead_id=lead, name=kind.name, props=props, at=when or ASAP)
    report, before, receipt = run(_signal(told))
    if as_json:
        became = {"new": receipt.new, "score_before": before, "score": receipt.score, "heard_by": receipt.told}
        print_json({**asdict(report), **became, "heard_later": receipt.waiting, "enters": receipt.entering})
        return
    console = out()
    if not receipt.new:
        console.print(f"Heard before: [bold]{escape(report.id)}[/] counts once.")
        return
    says = f"{kind.says} {report.subject}".strip()
    console.print(f"Recorded: [bold]{escape(says)}[/], {report.at:%a %d %b %Y %H:%M} UTC  [dim]{report.id}[/]")
    change = receipt.score - before
    console.print(f"Score: {before} → [bold]{receipt.score}[/]" if change else f"Score: {before}, unchanged")
    later = f"; {receipt.waiting} not listening for it, told at the next decision" if receipt.waiting else ""
    console.print(f"Heard by: {', '.join(receipt.told) or 'no journey'}{later}")
    if receipt.entering:
        console.print(f"Enters: {', '.join(receipt.entering)}")


async def _signal(told: Report) -> tuple[Report, int, Receipt]:
    """What was heard, with the lead looked up and the time filled in; the score before; what became of it."""
    async with opened() as inst:
        now = inst.now()
        at = now if told.at == ASAP else told.at
        if at > now + timedelta(minutes=1):
            raise InputError(f"--at {at:%Y-%m-%d %H:%M} is yet to come: it is {now:%Y-%m-%d %H:%M} UTC by the clock")
        async with inst.database.reading() as session:
            lead = await require_lead(session, told.lead_id)
        report = replace(told, lead_id=lead.id, at=at)
        return report, lead.score, await inst.listener.take(report)


def renurture(
    *,
    where: Annotated[str, typer.Option(help='Whom, such as "industry=retail band=warm".', show_default=False)],
    track: Annotated[str, typer.Option(help="The track they go to.")] = "lost-deal",
    reason: Annotated[str, typer.Option(help="Why; it stands in each journey.")] = "marketing's re-nurture",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them, and change nothing.")] = False,
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Marketing's trigger: start the lost-deal track for a segment.

    Who is on it already is made to decide again at once.
    """
    answers = run(_renurture(where, track, reason=reason, rate=rate_of(rate), dry_run=dry_run))
    if as_json:
        print_json(dict(answers) | {"dry_run": dry_run})
        return
    console = out()
    if dry_run:
        console.print(f"[bold]{answers['found']:,} leads[/] would go to {track} (dry run: nothing was changed)")
        return
    console.print(
        f"[bold]{answers['started']:,} leads started on {track}[/], {answers['nudged']:,} on it already decide anew"
    )
    tell_refusals(console, answers)


async def _renurture(where: str, track: str, *, reason: str, rate: float | None, dry_run: bool) -> Counter[str]:
    async with opened() as inst:
        name = inst.tracks[track].name
        async with inst.database.reading() as session:
            found = await leads_where(session, where)
        if dry_run:
            return Counter(found=len(found))

        async def one(lead_id: str) -> str:
            started = await inst.enroller.renurture(name, lead_id, inst.now(), reason)
            return "started" if started else "nudged"

        return await for_each(found, one, label=f"to {name}", rate=rate)
