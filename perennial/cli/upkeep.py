"""Keeping an installation in order: `check`, `migrate`, `worker`."""

from typing import Annotated

import typer
from rich.markup import escape

from nurture.bench.tryout import try_out
from nurture.errors import ContentError, TrackError
from nurture.journey.track import load_tracks
from perennial.channels.render import check_catalogue, load_catalogue
from perennial.cli.shared import BAD_INPUT, err, out, print_json, run
from perennial.dev.embedded import running_engine
from perennial.platform.logs import configure_logs
from perennial.platform.migrations import current_and_head, upgrade
from perennial.platform.settings import Settings, load_settings
from worker import work

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]


def check(as_json: Json = False) -> None:
    """Check every content piece and every track, before anything is sent.

    It needs no server and no database.
    """
    pieces, tracks, problems = _checked(load_settings())
    if as_json:
        print_json({"pieces": pieces, "tracks": tracks, "problems": problems})
    else:
        for problem in problems:
            err().print(f"[red]problem:[/] {escape(problem)}")
        said = "[green]all well[/]" if not problems else f"[red]{len(problems)} problems[/]"
        out().print(f"{pieces} pieces, {len(tracks)} tracks ({', '.join(tracks)}): {said}")
    if problems:
        raise typer.Exit(BAD_INPUT)


def _checked(settings: Settings) -> tuple[int, list[str], list[str]]:
    """How many pieces, which tracks, and what is wrong with them, a line each."""
    problems: list[str] = []
    pieces = 0
    names: list[str] = []
    catalogue = None
    try:
        catalogue = load_catalogue(settings.content_dir)
        pieces = len(catalogue.pieces)
        problems += check_catalogue(catalogue, folder=settings.content_dir)
    except ContentError as error:
        problems += str(error).splitlines()
    try:
        registry = load_tracks("workflows.tracks")
        names = list(registry)
    except TrackError as error:
        return pieces, names, [*problems, *str(error).splitlines()]
    if catalogue is not None:
        for track in registry.values():
            problems += try_out(track, catalogue)
    return pieces, names, problems


def migrate(as_json: Json = False) -> None:
    """Bring the database to this version's tables, or make it; what is in it stays."""
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
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    before, head = await current_and_head(settings.database_url)
    await upgrade(settings.database_url)
    return before, head


def worker() -> None:
    """Run a worker, which carries the journeys on, until Ctrl-C; as many as the load needs.

    It finds the engine of the data folder, else the server that Temporal's own settings name.
    """
    settings = load_settings()
    configure_logs(settings.log_format, level=settings.log_level)
    engine = running_engine(settings.data_dir)
    run(work(settings, engine.address if engine else None, child=False))
