"""What a person may ask for: `export`, `erase`, no more mail (`suppress`), and two leads made one (`merge`)."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow
from nurture.errors import InputError, RefusedError
from nurture.people.addresses import normalise
from perennial.app.connected import ConnectedInstallation
from perennial.cli.opening import LATER, opened_database, recorder_of, run, tell_if_up
from perennial.cli.options import Json, LeadName
from perennial.cli.printing import err, escape, json_text, out, print_json
from perennial.dev.local_mail import forget_mail
from perennial.journeys.asked import tell_asked
from perennial.leads.lookup import find_lead, find_named, require_lead
from perennial.leads.suppressed_addresses import lift_address, suppress_address
from perennial.leads.suppression import REASONS, Reason, lift, reason_of, suppressions
from perennial.platform.secrets import secrets_of
from perennial.privacy.erase import Erased, Eraser
from perennial.privacy.export import export_lead
from perennial.privacy.merge import Merged, merge_leads
from perennial.privacy.suppressor import Suppressor

_A_PERSON = "a person"


def erase(
    lead: LeadName,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm: it cannot be undone.")] = False,
    as_json: Json = False,
) -> None:
    """Erase a lead: its journeys end and everything personal about it is deleted.

    A keyed hash keeps its address from coming back by an import; opaque ids stay for statistics. Safe to repeat, also
    after it was cut off.
    """
    if not yes:
        raise InputError(f"that deletes what is known of {lead} for good; add --yes if it is meant")
    erased = run(_erase(lead))
    if as_json:
        print_json(
            {
                "leads": list(erased.leads),
                "journeys_ended": erased.journeys,
                "traces_left": erased.traces_left,
                "histories_left": erased.histories_left,
                "finished": erased.finished,
            }
        )
        return
    ended = f", and {erased.journeys:,} of its journeys ended" if erased.journeys else ""
    if erased.traces_left:
        err().print("The database's log was in use and still holds what was deleted: run the same command again soon.")
    out().print(f"[bold]Erased {erased.leads[0]}[/]{ended}. Its address will not be mailed, nor imported again.")
    if erased.finished and erased.histories_left:
        err().print("Temporal did not delete the journeys' histories: they expire by the retention of its namespace.")
    if not erased.finished:
        out().print(f"{LATER} Then erase it again: that deletes what they write meanwhile.")


async def _erase(name: str) -> Erased:
    async with opened_database(to_write=True) as base:
        async with base.database.reading() as session:
            lead = await require_lead(session, name)
        eraser = Eraser(base.database, secrets_of(base.settings), outside=partial(forget_mail, base.settings))
        begun = await eraser.begin(lead.id, base.now())
        erased = None
        if begun.traces.enrolments:
            erased = await tell_if_up(base, lambda inst: eraser.finish(begun, inst.client))
        return erased or await eraser.finish(begun, None)


def export(
    lead: LeadName,
    *,
    to: Annotated[Path | None, typer.Option("--out", help="A file to write, which only you can read.")] = None,
) -> None:
    """Export everything that is known about a lead, as one JSON document."""
    document = run(_export(lead))
    if to is None:
        print_json(document)
        return
    handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"{json_text(document)}\n")
    out().print(f"Written: [bold]{escape(str(to))}[/]")


async def _export(name: str) -> dict[str, object]:
    async with opened_database() as inst, inst.database.reading() as session:
        return await export_lead(session, (await require_lead(session, name)).id, inst.now())


def suppress(
    lead: Annotated[str, typer.Argument(help="A lead, or an address of nobody we know yet.", show_default=False)],
    *,
    reason: Annotated[str, typer.Option(help=f"One of {', '.join(REASONS)}.")] = "manual",
    lifted: Annotated[bool, typer.Option("--lift", help="End the suppression for this reason; needs --why.")] = False,
    why: Annotated[str, typer.Option(help="Why, in 64 characters; kept in the consent ledger.")] = "",
    as_json: Json = False,
) -> None:
    """Never mail a lead, from this moment on, and end its journeys.

    --lift ends a suppression again. Whoever opted out or complained still has to re-subscribe by itself: lifting grants
    no consent.
    """
    known = reason_of(reason)
    if lifted and not why.strip():
        raise InputError('say why it is lifted, such as --why "asked us to by phone"')
    sentence, reasons = run(_lift(lead, known, why) if lifted else _suppress(lead, known, why or _A_PERSON))
    if as_json:
        print_json({"said": sentence, "suppressed": list(reasons)})
        return
    out().print(f"{escape(sentence)}[dim]{' Suppressed now: ' + ', '.join(reasons) if reasons else ''}[/]")


async def _suppress(name: str, reason: Reason, source: str) -> tuple[str, tuple[str, ...]]:
    async with opened_database(to_write=True) as base:
        at = base.now()
        async with base.database.reading() as session:
            lead = await _lead_unless_address(session, name)
        if lead is None:
            async with base.database.writing() as session:
                new = await suppress_address(session, secrets_of(base.settings), normalise(name), reason, at)
            return f"No lead has this address{'' if new else ', as before'}; none will get it.", ()
        done = await Suppressor(base.database, recorder_of(base)).suppress(lead.id, reason, at, source=source)

        async def tell(inst: ConnectedInstallation) -> bool:
            await done.tell(inst.listener)
            return True

        later = "" if await tell_if_up(base, tell) else f" {LATER}"
        async with base.database.reading() as session:
            said = "will not be mailed any more" if done.new else "was suppressed for this before"
            return f"{lead.id} {said}.{later}", await suppressions(session, lead.id)


async def _lift(name: str, reason: Reason, why: str) -> tuple[str, tuple[str, ...]]:
    async with opened_database(to_write=True) as inst, inst.database.writing() as session:
        lead = await _lead_unless_address(session, name)
        if lead is None:
            if not await lift_address(session, secrets_of(inst.settings), normalise(name)):
                raise RefusedError("this address is not suppressed")
            return "The address may be a lead's again.", ()
        await lift(session, lead.id, reason, inst.now(), why=why)
        return f"{lead.id} is no longer suppressed for {reason}.", await suppressions(session, lead.id)


def merge(
    keep: Annotated[str, typer.Argument(help="The lead that goes on.", show_default=False)],
    lose: Annotated[str, typer.Argument(help="The lead that becomes it.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Make two leads one, mid-journey.

    The stricter consent of the two applies. Caps and score count what both got and did. If both are on a track, one
    journey goes on and the other ends; the story tells of both.
    """
    merged, told = run(_merge(keep, lose))
    if as_json:
        print_json({"kept": merged.current, "exited": list(merged.exiting), "told": told})
        return
    over = f"; ended as double: {', '.join(merged.exiting)}" if merged.exiting else ""
    out().print(f"[bold]{merged.current}[/] goes on for both{escape(over)}{'' if told else f'. {LATER}'}")


async def _merge(keep: str, lose: str) -> tuple[Merged, bool]:
    async with opened_database(to_write=True) as base:
        async with base.database.reading() as session:
            kept_id, lost_id = (await require_lead(session, keep)).id, await _own_id(session, lose)
        recorder = recorder_of(base)
        merged, asked = await merge_leads(
            base.database, kept_id, lost_id, at=base.now(), model=recorder.scoring, tracks=recorder.tracks
        )

        async def tell(inst: ConnectedInstallation) -> bool:
            await tell_asked(inst.client, asked)
            return True

        return merged, not asked.enrolments or bool(await tell_if_up(base, tell))


async def _own_id(session: AsyncSession, name: str) -> str:
    """The id of the lead that has this name itself, even if it was merged into another. Raises NotFoundError."""
    return await find_named(session, name) or (await require_lead(session, name)).id


async def _lead_unless_address(session: AsyncSession, name: str) -> LeadRow | None:
    """The lead of this name; None for an address of no lead. Raises NotFoundError for another unknown name."""
    return await find_lead(session, name) if "@" in name else await require_lead(session, name)
