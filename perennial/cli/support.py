"""Who is where and why: `tracks` and `why`. They read the database, so Temporal may be away."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape
from sqlalchemy import func, select

from models.journeys import Enrolment
from nurture.errors import NotFoundError
from nurture.journey.track import Registry
from perennial.app.programme import programme_of
from perennial.cli.opening import opened_database, run
from perennial.cli.options import Json
from perennial.cli.printing import out, print_json
from perennial.cli.show import InUtc, Named, time_in
from perennial.journeys.held import say_place
from perennial.journeys.story import StepDecision, decisions_about, enrolments_of, present_decision, steps_of
from perennial.leads.lookup import require_lead
from perennial.platform.settings import load_settings

WIDEST_BAR = 24
MOST_PLACES = 12


def tracks(as_json: Json = False) -> None:
    """Count who is where: the journeys of each track, by the step they stand at."""
    registry = programme_of(load_settings()).tracks
    found = run(_places(registry))
    if as_json:
        print_json(found)
        return
    console = out()
    for name, place in found.items():
        counts = place["journeys"]
        said = " · ".join(f"{count:,} {status}" for status, count in counts.items()) or "nobody yet"
        console.print(f"[bold]{name}[/]  {said}")
        console.print(f"  [dim]{escape(place['story'])}[/]")
        for title in ("standing", "ended"):
            _print_bars(console, place[title], "ended: " if title == "ended" else "")
        console.print()


def _print_bars(console: Console, counts: dict[str, int], prefix: str) -> None:
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    most = max(counts.values(), default=1)
    for step, count in ordered[:MOST_PLACES]:
        bar = "█" * max(1, round(WIDEST_BAR * count / most))
        console.print(f"  {count:>6,}  [cyan]{bar:<{WIDEST_BAR}}[/]  {escape(prefix + step)}")
    if len(ordered) > MOST_PLACES:
        rest = sum(count for _, count in ordered[MOST_PLACES:])
        console.print(f"  {rest:>6,}  [dim]at {len(ordered) - MOST_PLACES} further places[/]")


async def _places(registry: Registry) -> dict[str, dict[str, Any]]:
    """By track: its story's first line, journeys by status, running ones by step, ended ones by outcome."""
    columns = (Enrolment.track, Enrolment.status, Enrolment.step, Enrolment.outcome)
    async with opened_database() as inst, inst.database.reading() as session:
        rows = (await session.execute(select(*columns, func.count()).group_by(*columns))).all()
    found: dict[str, dict[str, Any]] = {}
    for name in sorted({*registry, *(registry.current(row.track) for row in rows)}):
        ours = [row for row in rows if registry.current(row.track) == name]
        journeys: Counter[str] = Counter()
        standing: Counter[str] = Counter()
        ended: Counter[str] = Counter()
        for _, status, step, outcome, count in ours:
            journeys[status] += count
            if status == "finished":
                ended[outcome or "finished"] += count
            else:
                held = "held at " if status == "held" else ""
                standing[held + say_place(step) if step else "waiting for a worker"] += count
        story = registry[name].story.partition("\n")[0] if name in registry else "no longer in workflows/tracks"
        found[name] = {"story": story, "journeys": dict(journeys), "standing": dict(standing), "ended": dict(ended)}
    return found


def why(
    lead: Named,
    step: Annotated[str | None, typer.Argument(help="A step: welcome, or send:welcome.", show_default=False)] = None,
    *,
    track: Annotated[str | None, typer.Option("--track", help="Only this track's journey.")] = None,
    utc: InUtc = False,
    as_json: Json = False,
) -> None:
    """Say why a lead got a mail, or stands where it stands.

    The answer is the decision as it was recorded, and every fact it rests on.
    """
    registry = programme_of(load_settings()).tracks
    zone, found = run(_decisions(lead, step, track, registry))
    decisions = [replace(decision, track=registry.current(decision.track)) for decision in found]
    if as_json:
        print_json(decisions)
        return
    console = out()
    for decision in decisions:
        shown = UTC if utc else zone
        until = f" until {time_in(decision.until, shown)}" if decision.until else ""
        when = f", {time_in(decision.at, shown)}" if step is not None else ""
        console.print(f"[bold]{escape(decision.what)}[/]{until}{when}  [dim]{decision.track}[/]")
        for reason in decision.because or ("no decision is recorded yet",):
            console.print(f"  because {escape(reason)}")
        for difference in decision.edited:
            console.print(f"  the track was edited: {escape(difference)}")


async def _decisions(
    name: str, step: str | None, track: str | None, registry: Registry
) -> tuple[tzinfo, list[StepDecision]]:
    names = None if track is None else registry[track].names
    async with opened_database() as inst, inst.database.reading() as session:
        lead = await require_lead(session, name)
        every = await enrolments_of(session, lead.id)
        enrolments = [enrolment for enrolment in every if names is None or enrolment.track in names]
        if not enrolments:
            raise NotFoundError(f"{name} has never been on {track or 'a track'}")
        zone = ZoneInfo(lead.time_zone)
        if step is None:
            running = [enrolment for enrolment in enrolments if enrolment.status != "finished"]
            return zone, [
                await present_decision(session, enrolment, inst.now()) for enrolment in running or enrolments[:1]
            ]
        decisions = await decisions_about(session, enrolments, step)
        if not decisions:
            known = ", ".join(await steps_of(session, enrolments)) or "none"
            raise NotFoundError(f"{name} has not come to a step {step!r}; its steps so far: {known}")
        return zone, decisions
