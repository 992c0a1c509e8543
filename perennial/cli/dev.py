"""`dev`: everything embedded, in one process tree, until Ctrl-C."""

import asyncio
import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from nurture.timing.clock import describe_speed, parse_speed
from perennial.app.programme import track_to_try
from perennial.dev.stack import Stack, embedded_stack
from perennial.platform.paths import SAMPLE
from perennial.platform.processes import run_until_stopped
from perennial.platform.program import program
from perennial.platform.settings import Settings, load_settings, variable
from perennial.platform.terminal import shown


def dev(
    *,
    speed: Annotated[
        str | None,
        typer.Option(help="How fast time passes: 1 (real time, the default), 1d/s, 12h/s. Fixed for a folder."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="The Temporal server's port. Default: the last run's, or any.")
    ] = None,
    ui_port: Annotated[
        int | None, typer.Option(help="The Temporal UI's port. Default: the last run's, or any.")
    ] = None,
) -> None:
    """Run everything here: Temporal and its UI, database, worker, inbox, web service.

    Ctrl-C stops it all; the next start goes on where it stopped.
    """
    settings = load_settings()
    if "provider" not in settings.model_fields_set:
        settings = settings.model_copy(update={"provider": "mailbox"})
    if "log_level" not in settings.model_fields_set:
        os.environ[variable("log_level")] = "warning"  # the programs' own logs would bury what is printed here
    factor = None if speed is None else parse_speed(speed)
    run_until_stopped(_dev(settings, factor, port, ui_port))
    announce("stopped; the next start goes on from here")


async def _dev(settings: Settings, speed: float | None, port: int | None, ui_port: int | None) -> None:
    announce(f"starting in {settings.data_dir} ...")
    async with embedded_stack(settings, announce, speed=speed, port=port, ui_port=ui_port) as stack:
        await stack.run(stack.worker.ready())
        _print_addresses(stack)
        try:
            await stack.run(asyncio.Event().wait())
        finally:
            announce("stopping: what is in flight finishes first ...")


def _print_addresses(stack: Stack) -> None:
    """Print where to look and what to do next."""
    settings, clock = stack.inst.settings, stack.inst.clock
    here = "" if settings.data_dir == Path(".perennial") else f" --data-dir {shlex.quote(str(settings.data_dir))}"
    first = "open the inbox, click a link in a mail, and see the journey react"
    time = describe_speed(clock.speed)
    if not clock.is_real_time:
        time += f", also while stopped; for the journeys it is {stack.inst.now():%a %d %b %Y %H:%M} UTC"
    announce(
        f"""
  Temporal UI    {stack.engine.ui_url}
  Temporal       {stack.engine.address}
  inbox          {stack.mailbox_url or f"none: mail goes out by {settings.provider}"}
  web service    {stack.web_url}
  data folder    {settings.data_dir.resolve()}
  clock          {time}

In another terminal:
  {program()}{here} import {_near(SAMPLE / "leads.csv")} --map {_near(SAMPLE / "mapping.toml")}
  {program()}{here} enrol {track_to_try(settings)} --where Audience=new
  {program()}{here} tracks
{f"Then {first}:" if stack.mailbox_url else "Then see how a journey goes:"}
  {program()}{here} show LEAD

Ctrl-C stops everything.
"""
    )


def _near(file: Path) -> str:
    """A file as it is typed here."""
    here = Path.cwd()
    return shlex.quote(str(file.relative_to(here) if file.is_relative_to(here) else file))


def announce(line: str) -> None:
    """Print a line at once."""
    print(shown(line), flush=True)
