"""`preview`: who would go on a track, with which first mail and when; also what a dry run of others prints."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from nurture.errors import InputError
from perennial.app.programme import programme_of
from perennial.cli.many import print_refusals, progress, said_of
from perennial.cli.names import require_names
from perennial.cli.opening import opened_database, run, scores_now, tell_broken
from perennial.cli.options import Everyone, InSegment, Json, OneLead, TrackName, Where
from perennial.cli.printing import counted, escape, out, print_json
from perennial.cli.segments import chosen_leads
from perennial.journeys.enrolling import unfinished_enrolments
from perennial.journeys.previewing import Entry, preview_entry
from perennial.journeys.reasons import in_short
from perennial.leads.lookup import require_lead

MOST_NAMED = 20


def preview(
    track: TrackName,
    *,
    lead: OneLead = None,
    where: Where = None,
    segment: InSegment = None,
    everyone: Everyone = False,
    as_json: Json = False,
) -> None:
    """Say who would go on a track, with which first mail and when, and who stays out and why.

    Nothing is changed: `enrol` with the same filter then does it. The gate is asked as it will be at each send.
    """
    require_one(lead, where, segment, everyone=everyone)
    require_names(track=track, where=where, segment=segment)
    print_preview(track, run(preview_of(track, lead, where, segment)), as_json=as_json)


def require_one(lead: str | None, where: str | None, segment: str | None, *, everyone: bool) -> None:
    """Raise InputError unless one way of naming leads is chosen; a filter and a segment are one."""
    if (lead is not None) + (where is not None or segment is not None) + everyone != 1:
        raise InputError("say who: one of --lead LEAD, --where FILTER, --segment NAME (or these two) or --all")


async def preview_of(
    track: str, lead: str | None, where: str | None, segment: str | None, *, left_over: bool = True
) -> list[Entry]:
    """What would become of a lead, or of those a filter or segment finds.

    With `left_over` also of earlier runs' enrolments.
    """
    async with opened_database() as inst, inst.database.reading() as session:
        programme, scores = programme_of(inst.settings), scores_now(inst)
        the_track = tell_broken(programme.tracks)[track]
        if lead is not None:
            ids = [(await require_lead(session, lead)).id]
        else:
            unfinished = await unfinished_enrolments(session) if left_over else ()
            first = [each.lead_id for each in unfinished if each.track in the_track.names]
            ids = list(dict.fromkeys((*first, *await chosen_leads(session, inst, where, segment))))
        entries: list[Entry] = []
        with progress("asking the gate", len(ids)) as advance:
            for lead_id in ids:
                entries.append(await preview_entry(session, the_track, lead_id, programme.catalogue, scores))
                advance(1)
        return entries


def refusals_of(entries: Sequence[Entry]) -> Counter[str]:
    """Why leads stay out, counted as the command that does it counts them."""
    return Counter(said_of(f"refused: {each.refused}") for each in entries if each.refused)


def print_preview(track: str, entries: Sequence[Entry], *, as_json: bool) -> None:
    """Print what `enrol` would do."""
    entering = [each for each in entries if not each.refused]
    resumed, refusals = sum(each.resumed for each in entering), refusals_of(entries)
    if as_json:
        counts = {"would_enrol": len(entering) - resumed, "would_resume": resumed, "refusals": dict(refusals)}
        print_json(counts | {"dry_run": True, "leads": entries})
        return
    console = out()
    console.print(
        f"[bold]{counted(len(entering), 'lead')} would be enrolled on {track}[/] (dry run: nothing was changed)"
    )
    if resumed:
        console.print(f"  {resumed:>7,}  of them were left over from an earlier run, or wait for a worker")
    print_entries(console, entering)
    print_kept_out(console, refusals)


def print_entries(console: Console, entering: Sequence[Entry]) -> None:
    """Print each lead that would enter with its first mail, and on which days the first mails leave."""
    if not entering:
        return
    console.print("First mails, times in UTC:")
    table = Table.grid(padding=(0, 2))
    for each in entering[:MOST_NAMED]:
        when = f"{each.at:%a %d %b %Y %H:%M}" if each.at else ""
        why = [*(f"put off: {reason}" for reason in each.put_off), *say_skipped(each.skipped)]
        table.add_row(f"  {escape(each.name)}", each.piece or each.says, when, escape("; ".join(why)))
    console.print(table)
    if len(entering) > MOST_NAMED:
        console.print(f"  and {len(entering) - MOST_NAMED:,} more (--json lists them all)")
        days = sorted(Counter(each.at.date() for each in entering if each.at is not None).items())
        console.print("By day: " + ", ".join(f"{count:,} on {day:%a %d %b}" for day, count in days[:MOST_NAMED]))
        if none := sum(each.at is None for each in entering):
            console.print(f"{counted(none, 'lead gets', 'leads get')} none while doing nothing")
    for title, reasons in (
        ("Held back at first:", [in_short(reason) for each in entering for reason in each.put_off]),
        ("Pieces that the gate will refuse:", [_reason_of(said) for each in entering for said in each.skipped]),
    ):
        if reasons:
            console.print(title)
        for reason, count in Counter(reasons).most_common(MOST_NAMED):
            console.print(f"  {count:>7,}  [yellow]{escape(reason)}[/]")
    if guesses := Counter(reason for each in entering for reason in each.guess):
        console.print("[dim]A guess where:[/]")
        for reason, count in guesses.most_common(MOST_NAMED):
            console.print(f"[dim]  {count:>7,}  {escape(reason)}[/]")


def print_kept_out(console: Console, refusals: Counter[str]) -> None:
    """Print why leads stay out."""
    if refusals:
        console.print("Kept out:")
    print_refusals(console, refusals)


def say_skipped(skipped: Sequence[str]) -> list[str]:
    """Refused pieces, those of one reason together: "refused: no consent on record (welcome and 11 more)"."""
    pieces: dict[str, list[str]] = {}
    for said in skipped:
        pieces.setdefault(_reason_of(said), []).append(said.partition(": ")[0])
    return [
        f"refused: {reason} ({named[0]}" + (f" and {len(named) - 1} more)" if named[1:] else ")")
        for reason, named in pieces.items()
    ]


def _reason_of(skipped: str) -> str:
    return skipped.partition(": ")[2]
