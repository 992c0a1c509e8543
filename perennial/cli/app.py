"""Every command of the command line; here an error becomes a line and an exit code.

A command's module is imported when the command is run, so that one need not wait for the libraries of all.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import Abort
from typer.main import get_command, get_group

from nurture.errors import InputError
from perennial.cli.exit_codes import BUG, INTERRUPTED, explain_error
from perennial.cli.printing import err, escape_lines
from perennial.platform.private_files import UMASK
from perennial.platform.program import command, program
from perennial.platform.settings import variable

EXIT_CODES = "Exit codes: 0 done · 1 a bug of ours · 2 bad input · 3 refused by a rule · 4 settings or surroundings"
START, LEADS, WATCH, STEER, KEEP = "Start", "Leads", "Watch and explain", "Steer", "Keep in order"


@dataclass(frozen=True, slots=True)
class Command:
    """A command: the heading it is listed under, where its function (or group) stands, and an example of its use."""

    panel: str
    function: str
    example: str

    def load(self, name: str) -> Any:
        """Import it and wrap it for the command line's library."""
        module, _, attribute = self.function.rpartition(".")
        found = getattr(import_module(f"perennial.{module}"), attribute)
        if isinstance(found, typer.Typer):
            group = get_group(found)
            group.name, group.rich_help_panel = name, self.panel
            return group
        alone = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
        alone.command(name, epilog=f"Example: `{command(self.example)}`", rich_help_panel=self.panel)(found)
        return get_command(alone)


COMMANDS = {
    "demo": Command(START, "demo.command.demo", "demo --leads 200 --months 6"),
    "dev": Command(START, "cli.dev.dev", "dev --speed 12h/s"),
    "new": Command(START, "cli.new.new", "new acme"),
    "worker": Command(START, "cli.upkeep.worker", "worker"),
    "web": Command(START, "cli.web.web", "web --port 8000"),
    "relay": Command(START, "cli.relay.relay", "relay"),
    "mailbox": Command(START, "cli.mailbox.mailbox", "mailbox"),
    "import": Command(LEADS, "cli.importing.import_", "import leads.csv --map sample/mapping.toml --dry-run"),
    "leads": Command(LEADS, "cli.leads.leads", 'leads --where "industry=retail score>=40"'),
    "segments": Command(LEADS, "cli.segments.segments", "segments"),
    "segment": Command(LEADS, "cli.segments.segment", "segment gone-quiet --csv gone-quiet.csv"),
    "enrol": Command(LEADS, "cli.enrol.enrol", 'enrol new-lead --where "industry=retail" --rate 50/s'),
    "preview": Command(LEADS, "cli.preview.preview", 'preview new-lead --where "industry=retail"'),
    "signal": Command(LEADS, "cli.signal.signal", "signal ada@example.com email.clicked --prop piece=welcome"),
    "backfill": Command(LEADS, "cli.backfill.backfill", "backfill events.csv"),
    "deals": Command(LEADS, "cli.deals.deals", "deals deals.csv"),
    "sweep": Command(LEADS, "cli.sweep.sweep", "sweep"),
    "renurture": Command(LEADS, "cli.enrol.renurture", 'renurture --where "industry=retail band=warm" --dry-run'),
    "tracks": Command(WATCH, "cli.tracks.tracks", "tracks"),
    "show": Command(WATCH, "cli.show.show", "show ada@example.com"),
    "why": Command(WATCH, "cli.why.why", "why ada@example.com welcome"),
    "replay": Command(WATCH, "cli.replay.replay", "replay ada@example.com --at 2026-03-01 --set score=80"),
    "mail": Command(WATCH, "cli.mail.mail", "mail ada@example.com --last 5"),
    "export-metrics": Command(
        WATCH, "cli.export_metrics.export_metrics", "export-metrics metrics --from 2026-01-01 --zone Europe/Berlin"
    ),
    "report": Command(WATCH, "cli.report.report", "report --from 2026-01-01 --to 2026-06-30 --out report.html"),
    "alerts": Command(WATCH, "cli.alerts.alerts", "alerts"),
    "pause": Command(STEER, "cli.control.pause", 'pause --track new-lead --reason "office closed"'),
    "resume": Command(STEER, "cli.control.resume", "resume --track new-lead"),
    "refresh": Command(STEER, "cli.control.refresh", "refresh --track new-lead --rate 100/s"),
    "exit": Command(STEER, "cli.control.exit_", 'exit --lead ada@example.com --reason "asked by phone"'),
    "override": Command(STEER, "cli.control.override", "override ada@example.com --track new-lead"),
    "release": Command(STEER, "cli.release.release", "release ada@example.com --track new-lead --at pricing-guide"),
    "pace": Command(STEER, "cli.pace.pace", "pace --per-minute 600 --per-hour 20000"),
    "check": Command(KEEP, "cli.upkeep.check", "check new-lead"),
    "plan": Command(KEEP, "cli.plan.plan", "plan new-lead"),
    "draw": Command(KEEP, "cli.draw.draw", "draw new-lead --out new-lead.svg"),
    "migrate": Command(KEEP, "cli.upkeep.migrate", "migrate"),
    "repair": Command(KEEP, "cli.repair.repair", "repair --dry-run"),
    "retell": Command(KEEP, "cli.relay.retell", "retell --dry-run"),
    "prune": Command(KEEP, "cli.prune.prune", "prune --dry-run"),
    "suppress": Command(KEEP, "cli.privacy.suppress", "suppress ada@example.com --reason manual"),
    "lift": Command(KEEP, "cli.lift.lift", 'lift --saying "sender address" --why "our DNS was broken" --dry-run'),
    "merge": Command(KEEP, "cli.privacy.merge", "merge ada@example.com ada@old.example.com"),
    "unbind": Command(KEEP, "cli.unbind.unbind", "unbind u-1042 --dry-run"),
    "export": Command(KEEP, "cli.privacy.export", "export ada@example.com"),
    "erase": Command(KEEP, "cli.privacy.erase", "erase ada@example.com --yes"),
    "opt-outs": Command(KEEP, "cli.opt_outs.opt_outs", "opt-outs --out /backup/opt-outs.jsonl"),
    "keys": Command(KEEP, "cli.keys.keys", "keys create website --scope ingest"),
}


class Commands(TyperGroup):
    """The group of all commands. Turns every error into a line and an exit code."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        names: dict[str, Any] = dict.fromkeys(COMMANDS)  # `get_command` loads what they name
        self.commands.update(names)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the library's signature
        """The command, imported now; None if there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        return None if entry is None else entry.load(cmd_name)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run a command and exit with its code; `--data-dir` and `--debug` may stand anywhere."""
        given, debug = _hoisted(list(sys.argv[1:] if args is None else args))
        extra["standalone_mode"] = False
        try:
            _require_text(given)
            code = super().main(given or ["--help"], *rest, **extra)
        except Abort:
            code = INTERRUPTED
        except Exception as error:
            if debug:
                raise
            code, text = explain_error(error)
            err().print(f"[red]{'bug' if code == BUG else 'error'}:[/] {escape_lines(text)}")
        sys.exit(code if isinstance(code, int) else 0)


def _require_text(args: Sequence[str]) -> None:
    for each in args:
        try:
            each.encode()
        except UnicodeEncodeError:
            raise InputError(f"the argument {each!r} is not UTF-8; type it again, or rename the file") from None


def _hoisted(args: list[str]) -> tuple[list[str], bool]:
    """The arguments with `--data-dir` before the command and without `--debug`; whether `--debug` was among them."""
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
    epilog=f"Start with: `{command('dev')}`, then `{command('--help')}` for the rest. {EXIT_CODES}.",
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
        os.environ[variable("data_dir")] = str(data_dir)  # the programs that `dev` starts read it too


def main() -> None:
    """Run the command that the arguments name."""
    os.umask(UMASK)
    app(prog_name=program())
