"""`check`, `migrate` and `worker`."""

from typing import Annotated

import typer

from perennial.app.checking import Findings, check_programme
from perennial.app.programme import programme_of
from perennial.app.run_worker import work
from perennial.cli.exit_codes import BAD_INPUT
from perennial.cli.opening import run
from perennial.cli.options import Json
from perennial.cli.printing import counted, err, escape, escape_lines, out, print_json
from perennial.dev.engine_lock import engine_address
from perennial.platform.logs import configure_logs
from perennial.platform.migrations import current_and_head, upgrade
from perennial.platform.private_files import private_folder
from perennial.platform.settings import Settings, load_settings


def check(
    track: Annotated[str | None, typer.Argument(help="One track; else all of them.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Check every content piece, and every path of every track, before anything is sent.

    Each fault comes with its line and the shortest story that shows it. It needs no server and no database.
    """
    programme = programme_of(load_settings())
    if as_json:
        found = check_programme(programme, track)
        print_json(found)
    else:
        with err().status("reading the programme") as status:
            found = check_programme(programme, track, lambda name: status.update(f"following every path of {name}"))
        _print_findings(found)
    if found.problems:
        raise typer.Exit(BAD_INPUT)


def _print_findings(found: Findings) -> None:
    console = out()
    for problem in found.problems:
        err().print(f"[red]problem:[/] {escape_lines(problem)}")
    for each in found.tracks:
        console.print(f"[bold]{each.track}[/]  {escape(each.text)}")
    for note in found.notes:
        console.print(f"[dim]{escape(note)}[/]")
    verdict = "[green]all well[/]" if not found.problems else f"[red]{counted(len(found.problems), 'problem')}[/]"
    console.print(f"{counted(found.pieces, 'piece')}, {counted(len(found.tracks), 'track')} explored: {verdict}")


def migrate(as_json: Json = False) -> None:
    """Bring the database to this version's tables, or make a new one; no data is lost."""
    settings = load_settings()
    before, after = run(_migrate(settings))
    if as_json:
        print_json({"before": before, "after": after, "changed": before != after})
    elif before == after:
        out().print(f"The database is at {after} already.")
    else:
        out().print(f"The database went from {before or 'nothing'} to [bold]{after}[/].")


async def _migrate(settings: Settings) -> tuple[str | None, str]:
    if settings.database_url.startswith("sqlite"):
        private_folder(settings.data_dir)
    before, head = await current_and_head(settings.database_url)
    await upgrade(settings.database_url)
    return before, head


def worker() -> None:
    """Run a worker until Ctrl-C: it carries the journeys on. Run as many as the load needs.

    It finds the engine of the data folder, else the server that Temporal's own settings name.
    """
    settings = load_settings()
    configure_logs(settings.log_format, level=settings.log_level)
    run(work(settings, engine_address(settings.data_dir)))
