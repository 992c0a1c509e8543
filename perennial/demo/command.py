"""`demo`: months of nurture in two minutes, on the real engine."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from nurture.errors import InputError
from nurture.timing.clock import parse_speed
from perennial.cli.exit_codes import INTERRUPTED
from perennial.cli.printing import err, out
from perennial.demo.leads import choose_leads
from perennial.demo.run import Demo, speed_for
from perennial.leads.importing.mapping import read_mapping
from perennial.platform.paths import SAMPLE
from perennial.platform.processes import run_until_stopped
from perennial.platform.settings import load_settings

MONTH = timedelta(days=365.25 / 12)


def demo(
    *,
    leads: Annotated[int, typer.Option(min=1, help="How many leads.")] = 200,
    months: Annotated[float, typer.Option(min=0.1, max=24, help="How many months of their lives.")] = 6,
    seed: Annotated[int, typer.Option(help="Another seed, other behaviour.")] = 7,
    csv: Annotated[
        Path | None, typer.Option(help="A file of leads (.csv, .csv.gz) instead of the sample; needs --map.")
    ] = None,
    map_: Annotated[Path | None, typer.Option("--map", help="The mapping of its columns.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running at the end, until Ctrl-C.")] = False,
    speed: Annotated[str, typer.Option(help="auto, or 1d/s, 12h/s ...")] = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="The summary as JSON; progress goes to standard error.")
    ] = False,
) -> None:
    """Watch leads live months in two minutes: the embedded engine, real rules, a seeded behaviour model."""
    if (csv is None) != (map_ is None):
        raise InputError("--csv and --map go together: a file of leads, and the mapping of its columns")
    file, mapping = csv or SAMPLE / "leads.csv", map_ or SAMPLE / "mapping.toml"
    folder = load_settings().data_dir / "demo"
    url = f"sqlite:///{folder / 'perennial.db'}"
    settings = load_settings(data_dir=folder, database_url=url, provider="database")  # sent nowhere, whatever is set
    chosen = choose_leads(file, read_mapping(mapping), leads)
    length = months * MONTH
    factor = speed_for(length) if speed == "auto" else parse_speed(speed)
    the_demo = Demo(settings, err() if as_json else out(), chosen, seed, length, factor, as_json=as_json, keep=keep)
    if not run_until_stopped(the_demo.run()) and not the_demo.ended:
        raise typer.Exit(INTERRUPTED)
    if the_demo.violated:
        raise typer.Exit(1)
