"""`enrol` and `renurture`: put leads on tracks."""

from collections import Counter
from typing import Annotated

import typer

from nurture.errors import InputError, RefusedError
from perennial.cli.many import for_each, print_refusals
from perennial.cli.names import require_names
from perennial.cli.opening import connected, run
from perennial.cli.options import Everyone, InSegment, Json, OneLead, Rate, TrackName, Where, parse_rate
from perennial.cli.preview import preview_of, print_entries, print_kept_out, print_preview, refusals_of, require_one
from perennial.cli.printing import counted, escape, out, print_json
from perennial.cli.segments import chosen_leads
from perennial.journeys.enrolling import unfinished_enrolments
from perennial.journeys.previewing import Entry
from perennial.leads.lookup import require_lead
from perennial.platform.program import command


def enrol(
    track: TrackName,
    *,
    lead: OneLead = None,
    where: Where = None,
    segment: InSegment = None,
    everyone: Everyone = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say who would enter, with which first mail and when, and change nothing.")
    ] = False,
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Put leads on a track: one, those a filter finds, or all.

    Cut short, run the same again: it takes up where it stopped. A lead that a rule keeps out is counted with
    the reason; for a single lead that is exit code 3.
    """
    require_one(lead, where, segment, everyone=everyone)
    require_names(track=track, where=where, segment=segment)
    if dry_run:
        print_preview(track, run(preview_of(track, lead, where, segment)), as_json=as_json)
        return
    if lead is not None:
        enrolment = run(_enrol_one(track, lead))
        if as_json:
            print_json({"enrolment": enrolment, "enrolled": 1})
        else:
            out().print(f"Enrolled on [bold]{track}[/]. Follow it with [bold]{command('show')} {escape(lead)}[/]")
        return
    results = run(_enrol_many(track, where, segment, parse_rate(rate)))
    if as_json:
        print_json(dict(results))
        return
    console = out()
    console.print(f"[bold]{counted(results['enrolled'] + results['resumed'], 'lead')} enrolled on {track}[/]")
    if results["resumed"]:
        console.print(f"  {results['resumed']:>7,}  of them were left over from an earlier run")
    if results["waiting"]:
        console.print(f"  {results['waiting']:>7,}  enrolled earlier, waiting for a worker (`{command('worker')}`)")
    print_refusals(console, results)


async def _enrol_one(track: str, name: str) -> str:
    async with connected() as inst:
        async with inst.database.reading() as session:
            lead = await require_lead(session, name)
        begun = await inst.enroller.begin(track, lead.id, inst.now(), "by hand")
        if not begun.started:
            raise RefusedError(f"already on {track} since {begun.at:%Y-%m-%d}, and waiting for a worker to take it up")
        return begun.enrolment_id


async def _enrol_many(track: str, where: str | None, segment: str | None, rate: float | None) -> Counter[str]:
    async with connected() as inst:
        name, names = inst.tracks[track].name, inst.tracks[track].names
        async with inst.database.reading() as session:
            left = [each.lead_id for each in await unfinished_enrolments(session) if each.track in names]
            found = await chosen_leads(session, inst, where, segment)
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


def renurture(
    *,
    where: Annotated[
        str | None, typer.Option(help='Which leads, such as "industry=retail band=warm".', show_default=False)
    ] = None,
    segment: InSegment = None,
    track: Annotated[str, typer.Option(help="The track they go to.")] = "lost-deal",
    reason: Annotated[str, typer.Option(help="Why; it is kept with each journey.")] = "marketing's re-nurture",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say who would start, with which first mail, and change nothing.")
    ] = False,
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Marketing's trigger: start the lost-deal track for a segment.

    Leads that are on it already decide again at once.
    """
    if where is None and segment is None:
        raise InputError("say who: --where FILTER, --segment NAME, or both")
    require_names(track=track, where=where, segment=segment)
    if dry_run:
        _print_renurture(track, run(preview_of(track, None, where, segment, left_over=False)), as_json=as_json)
        return
    results = run(_renurture(where, segment, track, reason=reason, rate=parse_rate(rate)))
    if as_json:
        print_json(dict(results) | {"dry_run": False})
        return
    console = out()
    console.print(
        f"[bold]{counted(results['started'], 'lead')} started on {track}[/]; "
        f"{counted(results['nudged'], 'lead')} on it already will decide again"
    )
    print_refusals(console, results)


def _print_renurture(track: str, entries: list[Entry], *, as_json: bool) -> None:
    starting, nudged = [each for each in entries if not each.refused], sum(each.on_it for each in entries)
    refusals = refusals_of([each for each in entries if not each.on_it])
    if as_json:
        counts = Counter(found=len(entries), started=len(starting), nudged=nudged) + refusals
        print_json(dict(counts) | {"dry_run": True, "leads": entries})
        return
    console = out()
    console.print(
        f"[bold]{counted(len(starting), 'lead')} would start on {track}[/]; "
        f"{counted(nudged, 'lead')} on it already would decide again (dry run: nothing was changed)"
    )
    print_entries(console, starting)
    print_kept_out(console, refusals)


async def _renurture(
    where: str | None, segment: str | None, track: str, *, reason: str, rate: float | None
) -> Counter[str]:
    async with connected() as inst:
        name = inst.tracks[track].name
        async with inst.database.reading() as session:
            found = await chosen_leads(session, inst, where, segment)

        async def one(lead_id: str) -> str:
            started = await inst.enroller.renurture(name, lead_id, inst.now(), reason)
            return "started" if started else "nudged"

        return await for_each(found, one, label=f"to {name}", rate=rate)
