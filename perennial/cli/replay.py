"""`replay`: a lead's decisions taken again with today's code, from its workflow, the database, or a history file."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from nurture.bench.relive import Relived, With, Without, relive
from nurture.bench.retrace import Retraced, say_until
from nurture.bench.what_if import changed, journal_at
from nurture.errors import InputError, SettingsError
from nurture.journey.facts import AnyFact
from perennial.app.programme import Programme, programme_of
from perennial.cli.opening import client_if_up, opened_database, run
from perennial.cli.options import Json, parse_behaviour, parse_pair, parse_time
from perennial.cli.printing import counted, escape, out, print_json
from perennial.journeys.read_model import FACT
from perennial.journeys.retracing import (
    Outlook,
    RetracedJourney,
    outlook_of,
    retrace_file,
    retrace_journal,
    retrace_lead,
)
from perennial.platform.settings import load_settings


def replay(
    lead: Annotated[
        str | None, typer.Argument(help="Id, e-mail address, external id, CRM id or user id.", show_default=False)
    ] = None,
    *,
    track: Annotated[str | None, typer.Option("--track", help="Which journey; else the running or latest one.")] = None,
    history: Annotated[
        Path | None, typer.Option(help="A history file instead: `temporal workflow show --output json`, or the UI's.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--journal", help="A journal file instead: what `replay --json` or `export` wrote.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Stop at this time (UTC unless it says) and plan from there.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="What if: score=80, stage=decision, industry=retail, email.clicked=welcome; repeatable."
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help="What if this had not happened: email.clicked=welcome, or ...@2026-03-01T09:30; repeatable."),
    ] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", help="What if this had happened: email.clicked=welcome@2026-03-01T09:30; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Re-run a lead's decisions with today's code; say where it differs, and how an edit is read.

    Nothing is sent and nothing is changed. The journal is the live workflow's own where the server has it, else the
    database's. With `--without` and `--with` the life is lived again from there on, by today's code.
    """
    if sum(each is not None for each in (lead, history, file)) != 1:
        raise InputError("say what to replay: a LEAD, or --history FILE.json, or --journal FILE.json")
    moment = None if at is None else parse_time(at, "--at")
    changes = [parse_pair(each, "--set") for each in set_ or ()]
    others = _others(without or (), with_ or ())
    programme = programme_of(load_settings())
    catalogue = programme.catalogue
    if history is not None:
        source = run(_retrace_file(history, programme))
    elif file is not None:
        source = retrace_journal(file, track, programme.tracks, catalogue, datetime.now(UTC))
    else:
        source = run(_retrace_lead(str(lead), track, programme))
    the_track = programme.tracks[source.track]
    steps = [each for each in source.retraced if moment is None or each.past.at <= moment]
    journal = source.journal if moment is None else journal_at(source.journal.facts, moment)
    now = moment or source.now
    as_it_is = outlook_of(the_track, journal, now, catalogue)
    relived = relive(the_track, journal, others, now, catalogue, scoring=programme.scoring) if others else None
    base = journal if relived is None else relived.journal
    what_if = None
    if changes or others:
        what_if = outlook_of(the_track, changed(base, changes, now), now, catalogue)
    if as_json:
        print_json(_document(source, steps, as_it_is, changes, what_if=what_if, others=others, relived=relived))
        return
    _print(out(), source, steps, moment)
    _print_outlook(
        out(), "Next, by today's code" if moment is None else f"The plan from {now:%d %b %Y %H:%M}", as_it_is
    )
    if what_if is not None:
        said = ", ".join([*(each.text for each in others), *("=".join(pair) for pair in changes)])
        if relived is not None:
            _print_relived(out(), said, relived)
        _print_outlook(out(), "What if " + said, what_if)


def _others(without: Sequence[str], with_: Sequence[str]) -> list[Without | With]:
    found: list[Without | With] = [Without(*parse_behaviour(each, "--without")) for each in without]
    for each in with_:
        name, subject, when = parse_behaviour(each, "--with")
        if when is None:
            raise InputError(f"--with {each}: say when, as in --with {each}@2026-03-01T09:30")
        found.append(With(name, subject or "", when))
    return found


async def _retrace_file(history: Path, programme: Programme) -> RetracedJourney:
    """Retrace a history file; without a database, by its references alone."""
    try:
        async with opened_database() as inst:
            return await retrace_file(history, programme.tracks, programme.catalogue, inst.database)
    except SettingsError:
        return await retrace_file(history, programme.tracks, programme.catalogue)


async def _retrace_lead(name: str, track: str | None, programme: Programme) -> RetracedJourney:
    async with opened_database() as inst:
        connect = partial(client_if_up, inst.settings)
        return await retrace_lead(
            inst.database,
            connect,
            name,
            track=track,
            tracks=programme.tracks,
            catalogue=programme.catalogue,
            now=inst.now(),
        )


def _print(console: Console, source: RetracedJourney, steps: Sequence[Retraced], moment: datetime | None) -> None:
    console.print(f"[bold]{source.track}[/], replayed from {escape(source.origin)}  [dim]times in UTC[/]\n")
    read: tuple[str, ...] = ()
    for each in steps:
        console.print(f"{each.past.at:%d %b %Y %H:%M}  [bold]{escape(each.past.in_words)}[/]")
        console.print(f"                   [dim]because {escape('; '.join(each.past.because))}[/]")
        if each.today is not None:
            because = escape("; ".join(each.today_because))
            console.print(f"                   [red]today's code: {escape(each.today)}[/] [dim]because {because}[/]")
        if each.read != read:
            read = each.read
            for said in read or ("agrees with the journal again",):
                console.print(f"                   [cyan]today's code: {escape(said)}[/]")
    differ = sum(each.today is not None for each in steps)
    count = counted(len(steps), "decision") + ("" if moment is None else f" up to {moment:%d %b %Y %H:%M}")
    if not steps:
        console.print("\nno decision is recorded here: there is nothing to compare with today's code")
    elif differ:
        console.print(f"\n{count}: today's code would take [red]{differ}[/] differently")
    else:
        console.print(f"\n{count}: [green]today's code takes every one the same way[/]")


def _print_relived(console: Console, said: str, relived: Relived) -> None:
    console.print(f"\n[bold]As it would have been {escape(said)}[/], from {relived.since:%d %b %Y %H:%M} on")
    for each in relived.happens:
        text = f"{each.at:%d %b %Y %H:%M}  {escape(each.what)}"
        console.print(text if each.alike else f"[red]{text}  (otherwise)[/]")
    for each in relived.never:
        console.print(f"[dim]{each.at:%d %b %Y %H:%M}  {escape(each.what)}  (would not have been so)[/]")


def _print_outlook(console: Console, title: str, outlook: Outlook) -> None:
    console.print(f"\n[bold]{escape(title)}[/]: {escape(say_until(outlook.next, outlook.until))}")
    console.print(f"  [dim]because {escape('; '.join(outlook.because))}[/]")
    for said in outlook.read:
        console.print(f"  [cyan]the edit: {escape(said)}[/]")
    if outlook.ahead:
        console.print("  and then, if the lead does nothing and the gate puts nothing off:")
    for step in outlook.ahead:
        console.print(f"    {step.at:%d %b %Y %H:%M}  {escape(step.what)}")


def _document(
    source: RetracedJourney,
    steps: Sequence[Retraced],
    outlook: Outlook,
    changes: Sequence[tuple[str, str]],
    *,
    what_if: Outlook | None,
    others: Sequence[Without | With],
    relived: Relived | None,
) -> dict[str, Any]:
    past = {}
    if relived is not None:
        past = {
            "changes": [each.text for each in others],
            "happens": [asdict(each) for each in relived.happens],
            "never": [asdict(each) for each in relived.never],
        }
    return {
        "track": source.track,
        "origin": source.origin,
        "facts": [_fact(fact) for fact in source.journal.facts],
        "decisions": [
            {
                "at": each.past.at,
                "over": len(each.past.journal),
                "next": each.past.next,
                "until": each.past.until,
                "because": each.past.because,
                "derived": [_fact(fact) for fact in each.past.derived],
                "today": each.today,
                "today_because": each.today_because,
                "read": each.read,
            }
            for each in steps
        ],
        "differ": sum(each.today is not None for each in steps),
        "plan": outlook,
        "what_if": None if what_if is None else {"set": dict(changes), **past, **_shallow(what_if)},
    }


def _fact(fact: AnyFact) -> Any:
    return FACT.dump_python(fact, mode="json", exclude_defaults=True) | {"kind": fact.kind}


def _shallow(outlook: Outlook) -> dict[str, Any]:
    return {name: getattr(outlook, name) for name in Outlook.__dataclass_fields__}
