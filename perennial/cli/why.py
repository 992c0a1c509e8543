"""`why`: why a lead got a mail, or stands where it stands. Read from the database, so Temporal may be away."""

from dataclasses import replace
from typing import Annotated

import typer

from nurture.errors import NotFoundError
from nurture.journey.track import Registry
from perennial.app.programme import programme_of
from perennial.cli.opening import opened_database, run, tell_broken
from perennial.cli.options import InUtc, Json, LeadName
from perennial.cli.page import Times
from perennial.cli.printing import escape, out, print_json
from perennial.journeys.origin import steps_meant
from perennial.journeys.story import (
    StepDecision,
    decisions_about,
    enrolments_of,
    present_decision,
    steps_of,
)
from perennial.leads.lookup import require_lead
from perennial.platform.settings import load_settings


def why(
    lead: LeadName,
    step: Annotated[
        str | None,
        typer.Argument(
            help="A step (welcome, send:welcome), a subject line, a touch's id, or a day (2026-05-03).",
            show_default=False,
        ),
    ] = None,
    *,
    track: Annotated[str | None, typer.Option("--track", help="Only this track's journey.")] = None,
    utc: InUtc = False,
    as_json: Json = False,
) -> None:
    """Say why a lead got a mail, or stands where it stands.

    The answer is the decision as it was recorded, and every fact it rests on.
    """
    registry = tell_broken(programme_of(load_settings()).tracks)
    zone, found = run(_decisions(lead, step, track, registry))
    decisions = [replace(decision, track=registry.current(decision.track)) for decision in found]
    if as_json:
        print_json(decisions)
        return
    times = Times.of(zone, utc=utc)
    console = out()
    for decision in decisions:
        until = f" until {times.moment(decision.until)}" if decision.until else ""
        when = f", {times.moment(decision.at)}" if step is not None else ""
        console.print(f"[bold]{escape(decision.what)}[/]{until}{when}  [dim]{decision.track}[/]")
        for reason in decision.because or ("no decision is recorded yet",):
            console.print(f"  because {escape(reason)}")
        for each in decision.origin:
            console.print(f"  {escape(each)}")
        for difference in decision.edited:
            console.print(f"  the track was edited: {escape(difference)}")


async def _decisions(
    name: str, step: str | None, track: str | None, registry: Registry
) -> tuple[str, list[StepDecision]]:
    names = None if track is None else registry[track].names
    async with opened_database() as inst, inst.database.reading() as session:
        lead = await require_lead(session, name)
        every = await enrolments_of(session, lead.id)
        enrolments = [enrolment for enrolment in every if names is None or enrolment.track in names]
        if not enrolments:
            raise NotFoundError(f"{name} has never been on {track or 'a track'}")
        zone = lead.time_zone
        if step is None:
            running = [enrolment for enrolment in enrolments if enrolment.status != "finished"]
            return zone, [
                await present_decision(session, enrolment, inst.now()) for enrolment in running or enrolments[:1]
            ]
        decisions = await decisions_about(session, enrolments, step)
        if not decisions:
            for meant in await steps_meant(session, enrolments, step):
                decisions += await decisions_about(session, enrolments, meant)
        if not decisions:
            known = ", ".join(await steps_of(session, enrolments)) or "none"
            raise NotFoundError(f"{name} has not come to a step {step!r}; its steps so far: {known}")
        return zone, decisions
