"""The controls: `pause`, `resume`, `refresh`, `exit` for one lead or a whole track, and `override`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import typer
from rich.markup import escape
from sqlalchemy import select
from temporalio.service import RPCError, RPCStatusCode

from models.journeys import Enrolment
from models.messages import Request
from nurture.errors import InputError, RefusedError, SettingsError
from perennial.app.installation import ConnectedInstallation
from perennial.cli.shared import Json, for_each, opened, out, print_json, rate_of, run
from perennial.dev.engine_lock import engine_address
from perennial.journeys.handles import update_journey, workflow_of
from perennial.leads.lookup import require_lead
from perennial.platform.installation import Installation
from perennial.platform.temporal import connect

Verb = Literal["pause", "resume", "refresh", "exit"]
Who = Annotated[str | None, typer.Option("--lead", help="One lead, by id, e-mail address or external id.")]
OnTrack = Annotated[str | None, typer.Option("--track", help="A track: all its journeys, or the lead's one on it.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the journey.")]
Rate = Annotated[str | None, typer.Option(help="At most so many journeys, such as 50/s or 600/m.")]


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
    lead: Annotated[str, typer.Argument(help="Id, e-mail address or external id.", show_default=False)],
    track: Annotated[
        str | None, typer.Option("--track", help="Which journey, if the lead is on several tracks.")
    ] = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """End a lead's present wait and move on; says what comes next."""
    on, following = run(_override(lead, track, reason))
    if as_json:
        print_json({"track": on, "next": following})
    else:
        out().print(f"The wait on {on} is over. Next: [bold]{escape(following)}[/]")


def _control(
    verb: Verb,
    said: str,
    *,
    lead: str | None,
    track: str | None,
    reason: str,
    rate: str | None,
    as_json: bool,
) -> None:
    if lead is None and track is None:
        raise InputError("say whose journeys: --lead LEAD, --track TRACK, or both")

    async def all_of_them() -> Counter[str]:
        async with opened() as inst:
            return await tell(inst, verb, await _stays(inst, lead, track), reason, rate_of(rate))

    answers = run(all_of_them())
    if as_json:
        print_json({"told": answers["told"], "already_over": answers["over"]})
        return
    told = answers["told"]
    over = f", {answers['over']:,} had ended already" if answers["over"] else ""
    out().print(f"[bold]{told:,} {'journey was' if told == 1 else 'journeys were'} {said}[/]{over}")


@dataclass(frozen=True, slots=True)
class RunningJourney:
    """A running journey."""

    id: str
    lead_id: str
    track: str


async def tell(
    inst: ConnectedInstallation, verb: Verb, stays: Sequence[RunningJourney], reason: str, rate: float | None
) -> Counter[str]:
    """Signal journeys; how many were `told`, and how many were `over` already."""
    request = Request(reason=reason)

    async def one(stay: RunningJourney) -> str:
        try:
            await inst.client.get_workflow_handle(workflow_of(stay.id)).signal(verb, request)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return "over"
        return "told"

    return await for_each(stays, one, label=verb, rate=rate)


async def _stays(inst: ConnectedInstallation, lead: str | None, track: str | None) -> list[RunningJourney]:
    wanted = select(Enrolment.id, Enrolment.lead_id, Enrolment.track).where(Enrolment.status != "finished")
    if track is not None:
        wanted = wanted.where(Enrolment.track == inst.tracks[track].name)
    async with inst.database.reading() as session:
        if lead is not None:
            wanted = wanted.where(Enrolment.lead_id == (await require_lead(session, lead)).id)
        found = [RunningJourney(*row) for row in await session.execute(wanted.order_by(Enrolment.id))]
    if not found and lead is not None:
        on = f" on {track}" if track is not None else ""
        raise RefusedError(f"{lead} has no running journey{on}; `starter.py show {lead}` tells its story")
    return found


async def _override(lead: str, track: str | None, reason: str) -> tuple[str, str]:
    async with opened() as inst:
        stays = await _stays(inst, lead, track)
        if len(stays) > 1:
            raise InputError(f"{lead} is on {' and '.join(stay.track for stay in stays)}; say which with --track")
        stay = stays[0]
        return stay.track, await update_journey(inst.client, stay.id, "override", Request(reason=reason))


async def end_suppressed(inst: Installation, lead_ids: Sequence[str]) -> int:
    """End the running journeys of leads an import has just suppressed; how many were told.

    The gate refuses their mail in any case, so a server that is away is no failure.
    """
    async with inst.database.reading() as session:
        rows = await session.execute(
            select(Enrolment.id, Enrolment.lead_id, Enrolment.track).where(
                Enrolment.lead_id.in_(lead_ids), Enrolment.status != "finished"
            )
        )
        stays = [RunningJourney(*row) for row in rows]
    if not stays:
        return 0
    try:
        client = await connect(engine_address(inst.settings.data_dir))
    except SettingsError:
        return 0
    answers: Counter[str] = Counter()
    for stay in stays:
        handle = client.get_workflow_handle(workflow_of(stay.id))
        try:
            await handle.signal("exit", Request(reason="suppressed by an import"))
            answers["told"] += 1
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
    return answers["told"]
