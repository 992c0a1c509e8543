"""`why`: why a lead got a mail, or stands where it stands. Read from the database, so Temporal may be away."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment
from models.leads import LeadRow
from nurture.errors import NotFoundError
from perennial.app.programme import Programme, programme_of
from perennial.cli.opening import opened_database, run, tell_broken
from perennial.cli.options import InUtc, Json, LeadName
from perennial.cli.page import Times
from perennial.cli.printing import escape, out, print_json
from perennial.journeys.because import StepDecision, decision_on_day, decisions_about, present_decision, steps_of
from perennial.journeys.meant import day_of, end_of, mailed, named, on_day
from perennial.journeys.story import enrolments_of
from perennial.leads.lookup import require_lead
from perennial.platform.settings import load_settings


def why(
    lead: LeadName,
    step: Annotated[
        str | None,
        typer.Argument(
            help="A step (send:welcome), a piece (welcome), a subject line, a touch's id, or a day (2026-05-03).",
            show_default=False,
        ),
    ] = None,
    *,
    track: Annotated[str | None, typer.Option("--track", help="Only this track's journey.")] = None,
    utc: InUtc = False,
    as_json: Json = False,
) -> None:
    """Say why a lead got a mail, or stands where it stands.

    The answer is the decision as recorded, and the chain that led to it: how the lead came to the track, its consent
    then, what it waited for, and what the gate said each time that it put the mail off.
    """
    programme = programme_of(load_settings())
    registry = tell_broken(programme.tracks)
    zone, found = run(_decisions(lead, step, track, programme))
    decisions = [replace(decision, track=registry.current(decision.track)) for decision in found]
    if as_json:
        print_json(decisions)
        return
    times = Times.of(zone, utc=utc)
    console = out()
    console.print(f"[dim]times in {times.name}[/]")
    for decision in decisions:
        _print_decision(console, decision, times, dated=step is not None)


def _print_decision(console: Console, decision: StepDecision, times: Times, *, dated: bool) -> None:
    until = f" until {times.moment(decision.until)}" if decision.until else ""
    when = f", {times.moment(decision.at)}" if dated else ""
    console.print(f"[bold]{escape(times.text(decision.what))}[/]{until}{when}  [dim]{decision.track}[/]")
    for reason in decision.because or ("no decision is recorded yet",):
        console.print(f"  because {escape(times.text(reason))}")
    for difference in decision.edited:
        console.print(f"  the track was edited: {escape(times.text(difference))}")
    if decision.chain:
        console.print("  [dim]how it came to this:[/]")
    for link in decision.chain:
        console.print(f"    [dim]{times.moment(link.at)}[/]  {escape(times.text(link.what))}")


async def _decisions(
    name: str, step: str | None, track: str | None, programme: Programme
) -> tuple[str, list[StepDecision]]:
    names = None if track is None else programme.tracks[track].names
    async with opened_database() as inst, inst.database.reading() as session:
        lead = await require_lead(session, name)
        every = await enrolments_of(session, lead.id)
        enrolments = [enrolment for enrolment in every if names is None or enrolment.track in names]
        if not enrolments:
            raise NotFoundError(f"{name} has never been on {track or 'a track'}")
        if step is None:
            running = [enrolment for enrolment in enrolments if enrolment.status != "finished"]
            return lead.time_zone, [
                await present_decision(session, lead, enrolment, inst.now()) for enrolment in running or enrolments[:1]
            ]
        for wanted in (named(step), await mailed(session, enrolments, step, programme.catalogue)):
            if decisions := await decisions_about(session, lead, enrolments, wanted):
                return lead.time_zone, decisions
        if (day := day_of(step)) is not None:
            return lead.time_zone, await _on_day(session, lead, enrolments, day)
        known = ", ".join(await steps_of(session, enrolments)) or "none"
        raise NotFoundError(
            f"{name} has no step, mail or day {step!r}; its steps so far: {known}; "
            "or give a touch's id, a subject line, or a day such as 2026-05-03"
        )


async def _on_day(
    session: AsyncSession, lead: LeadRow, enrolments: Sequence[Enrolment], day: date
) -> list[StepDecision]:
    """What was done that day in the lead's zone; if nothing was, what it waited for."""
    zone = ZoneInfo(lead.time_zone)
    if done := await decisions_about(session, lead, enrolments, on_day(day, zone)):
        return done
    held = [await decision_on_day(session, lead, enrolment, end_of(day, zone)) for enrolment in enrolments]
    if not any(held):
        raise NotFoundError(f"the lead was on no track on {day:%d %b %Y}")
    return [decision for decision in held if decision is not None]
