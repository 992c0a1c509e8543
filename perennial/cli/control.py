"""`pause`, `resume`, `refresh` and `exit`, for one lead or a whole track, and `override`."""

from collections import Counter
from secrets import token_hex
from typing import Annotated, Literal

import typer
from temporalio.service import RPCError

from models.messages import Request
from nurture.errors import InputError, RefusedError, SettingsError, TrackError
from nurture.journey.decision import Park
from nurture.journey.track import Registry
from perennial.app.programme import programme_of
from perennial.cli.many import for_each
from perennial.cli.opening import LATER, client_if_up, connected, opened_database, run
from perennial.cli.options import Json, LeadName, Rate, parse_rate
from perennial.cli.printing import counted, escape, out, print_json
from perennial.journeys.asked import ask, keep_reason
from perennial.journeys.handles import (
    RunningJourney,
    names_of_track,
    running_journeys,
    signal_journey,
    update_journey,
    view_journey,
)
from perennial.leads.lookup import require_lead
from perennial.platform.installation import Installation
from perennial.platform.program import command

Verb = Literal["pause", "resume", "refresh", "exit"]
Who = Annotated[
    str | None, typer.Option("--lead", help="One lead, by id, e-mail address, external id, CRM id or user id.")
]
OnTrack = Annotated[str | None, typer.Option("--track", help="A track: all its journeys, or the lead's one on it.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the journey.")]


def pause(
    *,
    lead: Who = None,
    track: OnTrack = None,
    reason: Reason = "",
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Hold journeys still until `resume`.

    Nothing is sent and no wait runs on; exits still work.
    """
    _control("pause", "told to pause", lead=lead, track=track, reason=reason, rate=rate, as_json=as_json)


def resume(
    *,
    lead: Who = None,
    track: OnTrack = None,
    reason: Reason = "",
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Let paused journeys go on where they stood."""
    _control("resume", "told to resume", lead=lead, track=track, reason=reason, rate=rate, as_json=as_json)


def refresh(
    *,
    lead: Who = None,
    track: OnTrack = None,
    reason: Reason = "",
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Have journeys decide again now, so that an edited track reaches them at once."""
    _control("refresh", "told to decide again", lead=lead, track=track, reason=reason, rate=rate, as_json=as_json)


def exit_(
    *,
    lead: Who = None,
    track: OnTrack = None,
    reason: Reason = "",
    rate: Rate = None,
    yes: Annotated[bool, typer.Option("--yes", help="End every journey of a track without asking back.")] = False,
    as_json: Json = False,
) -> None:
    """End journeys for good; nothing more is sent on them."""
    if lead is None and track is not None and not yes:
        raise InputError(f"that ends every journey on {track}; add --yes if it is meant")
    _control("exit", "told to end", lead=lead, track=track, reason=reason, rate=rate, as_json=as_json)


def override(
    lead: LeadName,
    track: Annotated[
        str | None, typer.Option("--track", help="Which journey, if the lead is on several tracks.")
    ] = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """End a lead's present wait and move on; say what comes next."""
    on, following = run(_override(lead, track, reason))
    if as_json:
        print_json({"track": on, "next": following})
    else:
        out().print(f"The wait on {on} is over. Next: [bold]{escape(following)}[/]")


def _control(
    verb: Verb,
    participle: str,
    *,
    lead: str | None,
    track: str | None,
    reason: str,
    rate: str | None,
    as_json: bool,
) -> None:
    if lead is None and track is None:
        raise InputError("say whose journeys: --lead LEAD, --track TRACK, or both")
    results = run(_signal(verb, lead, track, reason, parse_rate(rate)))
    if as_json:
        kept = {"asked": results["asked"]} if results["asked"] else {}
        print_json({"told": results["told"], "already_over": results["over"], **kept})
        return
    told = results["told"]
    over = f", {results['over']:,} had ended already" if results["over"] else ""
    if told or not results["asked"]:
        out().print(f"[bold]{counted(told, 'journey was', 'journeys were')} {participle}[/]{over}")
    if results["asked"]:
        asked = counted(results["asked"], "journey is", "journeys are")
        out().print(f"[bold]{asked} asked to {verb}[/]; nothing is sent against it. {LATER}")


async def _signal(verb: Verb, lead: str | None, track: str | None, reason: str, rate: float | None) -> Counter[str]:
    """Ask the journeys, and signal them; how many were `told`, and how many were `over` already.

    What is asked is committed first: the gate heeds it from then on, however long the signals take. A refresh asks for
    nothing that could be kept.
    """
    async with opened_database(to_write=verb != "refresh") as base:
        request = Request(id=f"asked:{token_hex(8)}", reason=reason if verb != "refresh" else "")
        journeys = await _journeys(base, _tracks_of(base), lead, track)
        if verb != "refresh":
            async with base.database.transaction() as connection:
                request = await ask(
                    connection, [each.enrolment_id for each in journeys], verb, request, base.now(), typed=True
                )
        client = await client_if_up(base.settings)
        if client is None:
            if verb == "refresh":
                raise SettingsError("Temporal is away; start it, or set TEMPORAL_ADDRESS, then do this again")
            return Counter(asked=len(journeys))

        async def signal(journey: RunningJourney) -> str:
            try:
                running = await signal_journey(client, journey.enrolment_id, verb, request)
            except RPCError:
                if verb == "refresh":
                    raise
                return "asked"  # the relay tells it
            return "told" if running else "over"

        return await for_each(journeys, signal, label=verb, rate=rate)


async def _override(lead: str, track: str | None, reason: str) -> tuple[str, str]:
    async with connected() as inst:
        found = await _journeys(inst, inst.tracks, lead, track)
        if len(found) > 1:
            raise InputError(f"{lead} is on {' and '.join(each.track for each in found)}; say which with --track")
        journey = found[0]
        seen = (await view_journey(inst.client, journey.enrolment_id)).next
        wait = seen.key if isinstance(seen, Park) else ""
        request = Request(id=f"asked:{token_hex(8)}", reason=reason, wait=wait)
        async with inst.database.transaction() as connection:
            request = await keep_reason(connection, journey.enrolment_id, request)
        following = await update_journey(inst.client, journey.enrolment_id, "override", request)
        return journey.track, following


def _tracks_of(base: Installation) -> Registry:
    """The tracks; none if one is broken: pauses and exits work all the same."""
    try:
        return programme_of(base.settings).tracks
    except TrackError:
        return Registry(())


async def _journeys(inst: Installation, known: Registry, lead: str | None, track: str | None) -> list[RunningJourney]:
    """The running journeys that are meant. Raises RefusedError if the lead has none."""
    async with inst.database.reading() as session:
        tracks = () if track is None else await names_of_track(session, known, track)
        lead_id = None if lead is None else (await require_lead(session, lead)).id
        found = await running_journeys(session, lead_id=lead_id, tracks=tracks)
    if not found and lead is not None:
        on = f" on {track}" if track is not None else ""
        raise RefusedError(f"{lead} has no running journey{on}; `{command('show')} {lead}` tells its story")
    return found
