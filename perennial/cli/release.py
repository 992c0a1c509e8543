"""`release`: put held leads on their way."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from models.messages import Release
from nurture.errors import InputError, RefusedError
from perennial.app.connected import ConnectedInstallation
from perennial.cli.control import Reason
from perennial.cli.many import NOT_DONE, for_each, print_refusals
from perennial.cli.opening import connected, run
from perennial.cli.options import Json, Rate, parse_rate
from perennial.cli.printing import counted, escape, out, print_json
from perennial.journeys.held import HeldJourney, held_journeys, release_lead, step_named
from perennial.leads.lookup import require_lead
from perennial.platform.program import command


def release(
    lead: Annotated[
        str | None,
        typer.Argument(help="Id, e-mail address, external id, CRM id or user id; else all held leads of a track."),
    ] = None,
    *,
    track: Annotated[str | None, typer.Option("--track", help="The track that holds them.")] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="Go on just before this step, such as pricing-guide."),
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End the journey instead.")] = False,
    from_: Annotated[
        str | None, typer.Option("--from", help="Of a track's held leads, those that stood here, as `tracks` says it.")
    ] = None,
    reason: Reason = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come next, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="End every held journey of a track without asking back.")] = False,
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Put a held lead, or all held leads of a track that stood at one place, on their way; say what comes next.

    A lead is held if an edit of its track left it without a place: nothing is sent to it until the track is mended or a
    person says where it goes on. A released lead gets every step from there on, also those that it had before.
    """
    if (at is None) != end:
        raise InputError("say where they go on: either --at STEP, or --end to end the journey")
    if lead is None and track is None:
        raise InputError("say who: a LEAD, or --track TRACK for all held leads of a track")
    if lead is None and end and not (yes or dry_run):
        raise InputError(f"that ends every held journey on {track}; add --yes if it is meant")
    answers = run(_release(lead, track, at, from_, reason=reason, rate=parse_rate(rate), dry_run=dry_run))
    if as_json:
        print_json({"released": dict(answers), "dry_run": dry_run})
        return
    console = out()
    done = sum(count for answer, count in answers.items() if not answer.startswith(NOT_DONE))
    would = "would be released (dry run: nothing was changed)" if dry_run else "released"
    console.print(f"[bold]{counted(done, 'lead')} {would}[/]{'. Next:' if done else ''}")
    for answer, count in answers.most_common():
        if not answer.startswith(NOT_DONE):
            console.print(f"  {count:>7,}  {escape(answer)}")
    print_refusals(console, answers)


async def _release(
    lead: str | None,
    track: str | None,
    at: str | None,
    place: str | None,
    *,
    reason: str,
    rate: float | None,
    dry_run: bool,
) -> Counter[str]:
    async with connected() as inst:
        found = await _found(inst, lead, track, place)
        the_track = inst.tracks[found[0].track]
        step = "" if at is None else step_named(at, the_track, inst.catalogue)
        order = Release(reason=reason, step=step, end=at is None)

        async def one(journey: HeldJourney) -> str:
            return await release_lead(
                inst.client, inst.database, journey, order, the_track, inst.catalogue, inst.now(), dry_run=dry_run
            )

        if lead is not None:
            return Counter([await one(found[0])])
        return await for_each(found, one, label=f"releasing on {the_track.name}", rate=rate)


async def _found(
    inst: ConnectedInstallation, lead: str | None, track: str | None, place: str | None
) -> Sequence[HeldJourney]:
    """The held journeys that are meant: one of the lead, or all of the track that stood at one place."""
    names = () if track is None else inst.tracks[track].names
    async with inst.database.reading() as session:
        lead_id = None if lead is None else (await require_lead(session, lead)).id
        found = await held_journeys(session, tracks=names, lead_id=lead_id)
    on = "" if track is None else f" on {track}"
    if lead is not None:
        if not found:
            raise RefusedError(f"{lead} is not held{on}; `{command('show')} {lead}` says where it stands")
        if len(found) > 1:
            raise InputError(f"{lead} is held on {' and '.join(each.track for each in found)}; say which with --track")
        return found
    if place is not None:
        found = [each for each in found if each.place == place]
        on += f" at {place!r}"
    if not found:
        raise RefusedError(f"no lead is held{on}; `{command('tracks')}` counts those that are")
    places = Counter(each.place for each in found)
    if len(places) > 1:
        listed = ", ".join(f"{each!r} ({count:,})" for each, count in places.most_common())
        raise InputError(f"the leads held{on} stood at different places; say which with --from: {listed}")
    return found
