"""The command line's commands, and the one place where an error becomes a line and an exit code."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperGroup
from typer.exceptions import Abort

from commands import control, leads, mail, replay, show, support, upkeep
from commands.shared import BUG, INTERRUPTED, err, failed
from wiring.settings import variable

EXIT_CODES = "Exit codes: 0 done · 1 a bug of ours · 2 bad input · 3 refused by a rule · 4 settings or surroundings"


class Commands(TyperGroup):
    """The group of all commands: a user never sees a traceback for a mistake of theirs."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run a command and exit with its code; the options of all commands may stand anywhere."""
        given, debug = _hoisted(list(sys.argv[1:] if args is None else args))
        extra["standalone_mode"] = False
        try:
            code = super().main(given or ["--help"], *rest, **extra)
        except Abort:
            code = INTERRUPTED
        except Exception as error:
            if debug:
                raise
            code, said = failed(error)
            err().print(f"[red]{'bug' if code == BUG else 'error'}:[/] {escape(said)}")
        sys.exit(code if isinstance(code, int) else 0)


def _hoisted(args: list[str]) -> tuple[list[str], bool]:
    """The arguments with `--data-dir` before the command, and without `--debug`; whether that was there."""
    front: list[str] = []
    rest: list[str] = []
    given = iter(each for each in args if each != "--debug")
    for each in given:
        if each == "--data-dir":
            front += [each, *islice(given, 1)]
        else:
            (front if each.startswith("--data-dir=") else rest).append(each)
    return front + rest, "--debug" in args


app = typer.Typer(
    cls=Commands,
    help="Perennial: durable lead-nurture journeys on Temporal.",
    epilog=f"Start with: `starter.py dev`, then `starter.py --help` for the rest. {EXIT_CODES}.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def root(
    data_dir: Annotated[
        Path | None, typer.Option(help="The folder of the embedded engine and database; else PERENNIAL_DATA_DIR.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,  # noqa: ARG001 - main
) -> None:
    """Perennial: durable lead-nurture journeys on Temporal."""
    if data_dir is not None:
        os.environ[variable("data_dir")] = str(data_dir)  # as though it had been set: `dev` and `worker` read it too


def _add(panel: str, name: str, function: Callable[..., Any], example: str) -> None:
    shown = "Example:" in (function.__doc__ or "")
    app.command(name, epilog=None if shown else f"Example: `starter.py {example}`", rich_help_panel=panel)(function)


def _add_lately(panel: str, name: str, example: str) -> None:
    """A command of a module of its own."""
    module = f"commands.{name}"
    if find_spec(module) is not None:
        _add(panel, name, getattr(import_module(module), name), example)


START, LEADS, WATCH, STEER, KEEP = "Start", "Leads", "Watch and explain", "Steer", "Keep in order"
_add_lately(START, "demo", "demo --leads 200 --months 6")
_add_lately(START, "dev", "dev")
_add(START, "worker", upkeep.worker, "worker")
_add(START, "migrate", upkeep.migrate, "migrate")
_add(LEADS, "import", leads.import_, "import leads.csv --map sample/mapping.toml --dry-run")
_add(LEADS, "leads", leads.leads, 'leads --where "industry=retail score>=40"')
_add(LEADS, "enrol", leads.enrol, 'enrol new-lead --where "industry=retail" --rate 50/s')
_add(LEADS, "signal", leads.signal, "signal ada@example.com email.clicked --prop piece=welcome")
_add(LEADS, "renurture", leads.renurture, 'renurture --where "industry=retail band=warm" --dry-run')
_add(WATCH, "tracks", support.tracks, "tracks")
_add(WATCH, "show", show.show, "show ada@example.com")
_add(WATCH, "why", support.why, "why ada@example.com welcome")
_add(WATCH, "replay", replay.replay, "replay ada@example.com --at 2026-03-01 --set score=80")
_add(WATCH, "mail", mail.mail, "mail ada@example.com --last 5")
_add(WATCH, "alerts", mail.alerts, "alerts")
_add(STEER, "pause", control.pause, 'pause --track new-lead --reason "office closed"')
_add(STEER, "resume", control.resume, "resume --track new-lead")
_add(STEER, "refresh", control.refresh, "refresh --track new-lead --rate 100/s")
_add(STEER, "exit", control.exit_, 'exit --lead ada@example.com --reason "asked by phone"')
_add(STEER, "override", control.override, "override ada@example.com --track new-lead")
_add(KEEP, "check", upkeep.check, "check")
