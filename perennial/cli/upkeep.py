"""`check`, `migrate` and `worker`."""

import typer

from perennial.app.programme import programme_of
from perennial.app.run_worker import work
from perennial.cli.exit_codes import BAD_INPUT
from perennial.cli.opening import run
from perennial.cli.options import Json
from perennial.cli.printing import counted, err, escape_lines, out, print_json
from perennial.dev.engine_lock import engine_address
from perennial.platform.logs import configure_logs
from perennial.platform.migrations import current_and_head, upgrade
from perennial.platform.private_files import private_folder
from perennial.platform.settings import Settings, load_settings


def check(as_json: Json = False) -> None:
    """Check every content piece and every track, before anything is sent.

    It needs no server and no database.
    """
    found = programme_of(load_settings()).check()
    pieces, tracks, problems = found.pieces, found.tracks, found.problems
    if as_json:
        print_json({"pieces": pieces, "tracks": tracks, "problems": problems})
    else:
        for problem in problems:
            err().print(f"[red]problem:[/] {escape_lines(problem)}")
        verdict = "[green]all well[/]" if not problems else f"[red]{counted(len(problems), 'problem')}[/]"
        read = f"{counted(pieces, 'piece')}, {counted(len(tracks), 'track')} ({', '.join(tracks)})"
        out().print(f"{read}: {verdict}")
    if problems:
        raise typer.Exit(BAD_INPUT)


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
