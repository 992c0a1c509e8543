"""`replay`: a lead's decisions taken again with today's code, from its workflow, the database, or a history file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from models.journeys import Enrolment
from nurture.bench.retrace import Retraced, deadline_of, retrace, say_until
from nurture.bench.what_if import Upcoming, changed, journal_at, upcoming
from nurture.content.catalogue import Catalogue
from nurture.errors import InputError, NotFoundError, SettingsError
from nurture.journey.decision import Finish
from nurture.journey.facts import AnyFact
from nurture.journey.journal import Journal
from nurture.journey.plan import plan
from nurture.journey.track import Track
from nurture.journey.wording import say_next
from perennial.app.programme import Programme, programme_of
from perennial.cli.opening import opened_database, run
from perennial.cli.options import parse_pair, parse_time
from perennial.cli.printing import out, print_json
from perennial.dev.engine_lock import engine_address
from perennial.journeys.handles import workflow_of
from perennial.journeys.histories import ReplayedJourney, fetch_histories, read_history, replay_journey
from perennial.journeys.past_decisions import past_decisions
from perennial.journeys.read_model import FACT
from perennial.journeys.story import decisions_of, enrolments_of, journal_of
from perennial.leads.lookup import require_lead
from perennial.platform.settings import load_settings
from perennial.platform.temporal import connect


@dataclass(slots=True)
class Source:
    """A journey to replay: where it was read, its journal, the decisions taken, and the time it is for it."""

    track: str
    origin: str
    journal: Journal
    retraced: list[Retraced]
    now: datetime


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes next as of a moment, and what is to come after if the lead stays quiet."""

    at: datetime
    next: str
    until: datetime | None
    because: tuple[str, ...]
    ahead: tuple[Upcoming, ...] = field(default=())


def replay(
    lead: Annotated[str | None, typer.Argument(help="Id, e-mail address or external id.", show_default=False)] = None,
    *,
    track: Annotated[str | None, typer.Option("--track", help="Which journey; else the running or latest one.")] = None,
    history: Annotated[
        Path | None, typer.Option(help="A history file instead: `temporal workflow show --output json`, or the UI's.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Stop at this time (UTC unless it says) and plan from there.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="What if: score=80, stage=decision, industry=retail, email.clicked=welcome; repeatable."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")] = False,
) -> None:
    """Re-run a lead's decisions with today's code, and say where it differs.

    Nothing is sent and nothing is changed. The journal is the live workflow's own where the server has it, else the
    database's.
    """
    if (lead is None) == (history is None):
        raise InputError("say what to replay: a LEAD, or --history FILE.json")
    moment = None if at is None else parse_time(at, "--at")
    changes = [parse_pair(each, "--set") for each in set_ or ()]
    programme = programme_of(load_settings())
    catalogue = programme.catalogue
    if history is not None:
        source = run(_from_file(history, programme))
    else:
        source = run(_from_installation(str(lead), track, programme))
    the_track = programme.tracks[source.track]
    steps = [each for each in source.retraced if moment is None or each.past.at <= moment]
    journal = source.journal if moment is None else journal_at(source.journal.facts, moment)
    now = moment or source.now
    as_it_is = _outlook(the_track, journal, now, catalogue)
    what_if = _outlook(the_track, changed(journal, changes, now), now, catalogue) if changes else None
    if as_json:
        print_json(_document(source, steps, as_it_is, changes, what_if))
        return
    _print(out(), source, steps, moment)
    _print_outlook(
        out(), "Next, by today's code" if moment is None else f"The plan from {now:%d %b %Y %H:%M}", as_it_is
    )
    if what_if is not None:
        _print_outlook(out(), "What if " + ", ".join("=".join(pair) for pair in changes), what_if)


async def _from_file(path: Path, programme: Programme) -> Source:
    life = await replay_journey([read_history(path)])
    tracks, catalogue = programme.tracks, programme.catalogue
    earlier = ", its last run" if life.earlier else ""
    return Source(
        track=tracks[life.track].name,
        origin=f"the history in {path.name}{earlier}",
        journal=life.journal,
        retraced=retrace(tracks[life.track], life.decisions, catalogue),
        now=life.now or life.journal.last_at,
    )


async def _from_installation(name: str, track: str | None, programme: Programme) -> Source:
    tracks, catalogue = programme.tracks, programme.catalogue
    wanted = tracks[track].name if track is not None else None
    async with opened_database() as inst:
        async with inst.database.reading() as session:
            lead = await require_lead(session, name)
            stays = await enrolments_of(session, lead.id)
            stay = next((each for each in stays if wanted in {None, tracks.current(each.track)}), None)
            if stay is None:
                was = ", ".join(sorted({each.track for each in stays})) or "no track"
                raise NotFoundError(f"{name} has no journey{f' on {wanted}' if wanted else ''}; it has been on {was}")
            facts = await journal_of(session, stay.id)
            rows = await decisions_of(session, stay.id)
        over = stay.status == "finished"
        now = inst.now()
        address = engine_address(inst.settings.data_dir)
    live = await _live(stay, address)
    if live is not None:
        decisions, journal, origin = live.decisions, live.journal, "the workflow's own history"
        # What was compacted away is still in the database.
        journal = Journal(facts, len(facts)) if live.earlier or len(facts) > len(journal) else journal
    elif facts:
        decisions, journal, origin = past_decisions(facts, rows), Journal(facts, len(facts)), "the database"
    else:
        raise NotFoundError(f"{name} has no journal on {stay.track} yet: it waits for a worker (`starter.py worker`)")
    return Source(
        track=tracks.current(stay.track),
        origin=origin,
        journal=journal,
        retraced=retrace(tracks[stay.track], decisions, catalogue),
        now=journal.last_at if over else max(now, journal.last_at),
    )


async def _live(stay: Enrolment, address: str | None) -> ReplayedJourney | None:
    """The journey as its workflow lived it; None if no server answers, or it knows another stay or none."""
    try:
        client = await connect(address)
    except SettingsError:
        return None
    histories = await fetch_histories(client, workflow_of(stay.id))
    if not histories:
        return None
    life = await replay_journey(histories)
    return life if life.decisions and life.journal.enrolled.at == stay.started_at else None


def _outlook(track: Track, journal: Journal, now: datetime, catalogue: Catalogue) -> Outlook:
    decision = plan(track, journal, now, catalogue)
    following = decision.next
    ahead = () if isinstance(following, Finish) else tuple(upcoming(track, journal, now, catalogue))
    return Outlook(now, say_next(following), deadline_of(following), decision.because, ahead)


def _print(console: Console, source: Source, steps: Sequence[Retraced], moment: datetime | None) -> None:
    console.print(f"[bold]{source.track}[/], replayed from {escape(source.origin)}  [dim]times in UTC[/]\n")
    for each in steps:
        console.print(f"{each.past.at:%d %b %Y %H:%M}  [bold]{escape(each.past.in_words)}[/]")
        console.print(f"                   [dim]because {escape('; '.join(each.past.because))}[/]")
        if each.today is not None:
            because = escape("; ".join(each.today_because))
            console.print(f"                   [red]today's code: {escape(each.today)}[/] [dim]because {because}[/]")
    differ = sum(each.today is not None for each in steps)
    count = f"{len(steps)} decisions" + ("" if moment is None else f" up to {moment:%d %b %Y %H:%M}")
    if differ:
        console.print(f"\n{count}: today's code would take [red]{differ}[/] differently")
    else:
        console.print(f"\n{count}: [green]today's code takes every one alike[/]")


def _print_outlook(console: Console, title: str, outlook: Outlook) -> None:
    console.print(f"\n[bold]{escape(title)}[/]: {escape(say_until(outlook.next, outlook.until))}")
    console.print(f"  [dim]because {escape('; '.join(outlook.because))}[/]")
    if outlook.ahead:
        console.print("  and, if the lead stays quiet and the gate puts nothing off:")
    for step in outlook.ahead:
        console.print(f"    {step.at:%d %b %Y %H:%M}  {escape(step.what)}")


def _document(
    source: Source,
    steps: Sequence[Retraced],
    outlook: Outlook,
    changes: Sequence[tuple[str, str]],
    what_if: Outlook | None,
) -> dict[str, Any]:
    return {
        "track": source.track,
        "origin": source.origin,
        "facts": [_fact(fact) for fact in source.journal.facts],
        "decisions": [
            {
                "at": each.past.at,
                "next": each.past.next,
                "until": each.past.until,
                "because": each.past.because,
                "derived": [_fact(fact) for fact in each.past.derived],
                "today": each.today,
                "today_because": each.today_because,
            }
            for each in steps
        ],
        "differ": sum(each.today is not None for each in steps),
        "plan": outlook,
        "what_if": None if what_if is None else {"set": dict(changes), **_shallow(what_if)},
    }


def _fact(fact: AnyFact) -> Any:
    return FACT.dump_python(fact, mode="json", exclude_defaults=True) | {"kind": fact.kind}


def _shallow(outlook: Outlook) -> dict[str, Any]:
    return {name: getattr(outlook, name) for name in Outlook.__dataclass_fields__}
