"""starter.py demo: months of nurture in two minutes, on the real engine."""

import asyncio
import fcntl
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nurture.bench.behaviour_model import BehaviourModel
from nurture.errors import InputError, SettingsError
from nurture.timing.clock import FASTEST, describe_speed, parse_speed
from perennial.cli.shared import INTERRUPTED, err, out, print_json
from perennial.demo.driver import Driver
from perennial.demo.people import Cast, choose, entrances
from perennial.demo.summary import pick_story, tell_checks, tell_counts, tell_links, tell_story
from perennial.demo.view import View
from perennial.dev.stack import Stack, embedded_stack
from perennial.leads.importing.importer import import_leads
from perennial.leads.importing.leads_file import LeadRecord, Reject
from perennial.leads.importing.mapping import read_mapping
from perennial.platform.paths import SAMPLE
from perennial.platform.processes import run_until_stopped
from perennial.platform.settings import Settings, load_settings
from perennial.reports.audit import check_ledger, lateness, share_within
from perennial.reports.funnel import Tally, tally

MONTH = timedelta(days=365.25 / 12)
WALL_SECONDS = 98.0
"""How long the months take; the start, the import and the summary come on top, and all of it fits in two minutes."""

_SHOW_EACH = 1.0
_KEPT = ("engine.lock", "temporal.log")  # they carry locks and the ports of the last run


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
    cast = choose(file, read_mapping(mapping), leads)
    length = months * MONTH
    factor = speed_for(length) if speed == "auto" else parse_speed(speed)
    told = Demo(settings, err() if as_json else out(), cast, seed, length, factor, as_json=as_json, keep=keep)
    if not run_until_stopped(told.run()) and not told.ended:
        raise typer.Exit(INTERRUPTED)
    if told.violated:
        raise typer.Exit(1)


def speed_for(length: timedelta) -> float:
    """Fast enough for the months to fit. On a machine that is behind, wakes are late, and the summary says so."""
    return min(length.total_seconds() / WALL_SECONDS, FASTEST)


@dataclass(slots=True)
class Demo:
    """One demo, from an empty folder to its summary."""

    settings: Settings
    console: Console
    cast: Cast
    seed: int
    length: timedelta
    speed: float
    as_json: bool
    keep: bool
    ended: bool = False
    violated: bool = False

    async def run(self) -> None:
        """Start the stack, let the months pass, tell what happened."""
        folder = self.settings.data_dir
        takes = self.length.total_seconds() / self.speed
        self.console.print(
            f"a fresh demo in {folder} (made anew each time): {describe_speed(self.speed)}, {takes:,.0f} seconds in all"
        )
        fresh_folder(folder)
        async with embedded_stack(
            self.settings, self._say, speed=self.speed, log=folder / "worker.log", edge=False, workers=2
        ) as stack:
            report = await stack.run(import_leads(stack.inst.database, self._rows(), at=stack.inst.now()))
            self.console.print(
                f"imported {report.added:,} leads, {report.rejected:,} rows rejected; Temporal UI {stack.engine.ui_url}"
            )
            await stack.run(stack.worker.ready())
            driver, counts, until = await self._live(stack)
            await stack.run(self._tell(stack, driver, counts, until))
            self.ended = True
            if self.keep:
                self.console.print("\nit runs on; nobody reacts any more. Ctrl-C stops it")
                await stack.run(asyncio.Event().wait())

    def _rows(self) -> Iterator[LeadRecord | Reject]:
        return iter((*self.cast.records, *self.cast.rejects))

    def _say(self, line: str) -> None:
        if not line.startswith("worker:"):
            self.console.print(line)

    async def _live(self, stack: Stack) -> tuple[Driver, Tally, datetime]:
        """Play the leads until the months are over, and show it."""
        inst = stack.inst
        begin = inst.now()
        until = begin + self.length
        driver = Driver(inst, BehaviourModel(self.seed))
        async with inst.database.reading() as session:
            acts = await entrances(session, self.cast, self.seed, begin, self.length)
        with View(self.console, begin, until) as view:
            playing = asyncio.create_task(stack.run(driver.play(acts, until)))
            try:
                while not playing.done():
                    view.show(inst.now(), await self._tally(stack))
                    await asyncio.wait({playing}, timeout=_SHOW_EACH)
                await playing
            finally:
                playing.cancel()
        return driver, await self._tally(stack), until

    async def _tally(self, stack: Stack) -> Tally:
        async with stack.inst.database.reading() as session:
            return await tally(session, stack.inst.scoring.mql)

    async def _tell(self, stack: Stack, driver: Driver, counts: Tally, until: datetime) -> None:
        inst, console = stack.inst, self.console
        rules = {name: track.gate_rules for name, track in inst.tracks.items()}
        async with inst.database.reading() as session:
            story = await pick_story(session)
            checks = await check_ledger(session, rules)
        late = await lateness(inst.client, inst.clock)
        self.violated = bool(checks.violations)
        console.print(f"\n[bold]{self.length.days} days have passed[/]; it is {until:%a %d %b %Y}")
        tell_counts(console, counts, driver.refused)
        if story is not None:
            tell_story(console, story)
        tell_checks(console, checks, late, inst.clock)
        tell_links(console, stack.engine.ui_url, story)
        if self.as_json:
            print_json(
                counts.as_json()
                | {
                    "not_enrolled": dict(driver.refused),
                    "behaviours": driver.heard,
                    "checked_touches": checks.touches,
                    "violations": list(checks.violations),
                    "wakes_99_percent_within_seconds": round(share_within(late, 0.99), 3),
                    "restarts": stack.worker.restarts,
                }
            )


def fresh_folder(folder: Path) -> None:
    """Empty a demo's folder. Raises SettingsError if it is in use, or holds what no demo put there."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / _KEPT[0]
    if not lock.exists() and any(folder.iterdir()):
        raise SettingsError(f"{folder} holds something that is not a demo's; move it away, or set PERENNIAL_DATA_DIR")
    with lock.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(f"a demo is running in {folder}; stop that first, or set PERENNIAL_DATA_DIR") from None
        for entry in folder.iterdir():
            if entry.name in _KEPT:
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
