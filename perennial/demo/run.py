"""Run a demo: import the leads, play the world while months pass, print and audit what happened."""

import asyncio
import fcntl
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console

from nurture.bench.behaviour_model import BehaviourModel
from nurture.errors import SettingsError
from nurture.timing.clock import FASTEST, describe_speed
from perennial.cli.printing import print_json
from perennial.cli.report import write
from perennial.demo.leads import ChosenLeads, schedule_enrolments
from perennial.demo.summary import pick_story, print_audit, print_counts, print_links, print_report, print_story
from perennial.demo.view import View
from perennial.demo.world import World
from perennial.dev.stack import Stack, embedded_stack
from perennial.leads.importing.importer import import_leads
from perennial.leads.importing.leads_file import LeadRecord, Reject
from perennial.platform.private_files import private_folder
from perennial.platform.settings import Settings
from perennial.reports.audit import audit_ledger
from perennial.reports.funnel import Funnel, count_funnel
from perennial.reports.outcome_page import report_of
from perennial.reports.outcomes import Scope, read_outcomes
from perennial.reports.period import Period
from perennial.reports.punctuality import lateness, share_within

WALL_SECONDS = 98.0
"""How long the months take; the start, the import and the summary come on top, and all of it fits in two minutes."""

_SHOW_EACH = 1.0
_KEPT = ("engine.lock", "temporal.log")  # they carry locks and the ports of the last run


def speed_for(length: timedelta) -> float:
    """Fast enough for the months to fit. On a machine that is behind, wakes are late, and the summary says so."""
    return min(length.total_seconds() / WALL_SECONDS, FASTEST)


@dataclass(slots=True)
class Demo:
    """One demo, from an empty folder to its summary. `violated` says whether the audit found a broken rule."""

    settings: Settings
    console: Console
    leads: ChosenLeads
    seed: int
    length: timedelta
    speed: float
    as_json: bool
    keep: bool
    ended: bool = False
    violated: bool = False

    async def run(self) -> None:
        """Start the stack, let the months pass, print what happened."""
        folder = self.settings.data_dir
        takes = self.length.total_seconds() / self.speed
        self.console.print(
            f"A fresh demo in {folder} (the last one is replaced):\n"
            f"{describe_speed(self.speed)}, {takes:,.0f} seconds in all"
        )
        fresh_folder(folder)
        async with embedded_stack(
            self.settings, self._print_line, speed=self.speed, log=folder / "worker.log", edge=False, workers=2
        ) as stack:
            report = await stack.run(import_leads(stack.inst.database, self._rows(), at=stack.inst.now()))
            self.console.print(
                f"{report.added:,} leads, {report.rejected:,} bad rows left out. Watch them: {stack.engine.ui_url}"
            )
            await stack.run(stack.worker.ready())
            begin = stack.inst.now()
            world, counts, until = await self._live(stack)
            await stack.run(self._summarise(stack, world, counts, Period(begin, until, ZoneInfo("UTC"))))
            self.ended = True
            if self.keep:
                self.console.print("\nstill running, though no lead reacts any more; Ctrl-C stops it")
                await stack.run(asyncio.Event().wait())

    def _rows(self) -> Iterator[LeadRecord | Reject]:
        return iter((*self.leads.records, *self.leads.rejects))

    def _print_line(self, line: str) -> None:
        if not line.startswith("worker:"):
            self.console.print(line)

    async def _live(self, stack: Stack) -> tuple[World, Funnel, datetime]:
        """Play the world until the months are over, and show it."""
        inst = stack.inst
        begin = inst.now()
        until = begin + self.length
        world = World(inst, BehaviourModel(self.seed))
        async with inst.database.reading() as session:
            enrolments = await schedule_enrolments(session, self.leads, self.seed, begin, self.length)
        with View(self.console, begin, until) as view:
            playing = asyncio.create_task(stack.run(world.play(enrolments, until)))
            try:
                while not playing.done():
                    view.show(inst.now(), await self._count(stack))
                    await asyncio.wait({playing}, timeout=_SHOW_EACH)
                await playing
            finally:
                playing.cancel()
        return world, await self._count(stack), until

    async def _count(self, stack: Stack) -> Funnel:
        async with stack.inst.database.reading() as session:
            return await count_funnel(session, stack.inst.scoring.mql)

    async def _summarise(self, stack: Stack, world: World, counts: Funnel, period: Period) -> None:
        inst, console = stack.inst, self.console
        rules = {name: track.gate_rules for name, track in inst.tracks.items()}
        async with inst.database.reading() as session:
            story = await pick_story(session)
            audit = await audit_ledger(session, rules)
            outcomes = await read_outcomes(session, Scope(period, inst.now(), inst.scoring.mql))
        late = await lateness(inst.client, inst.clock)
        self.violated = bool(audit.violations)
        console.print(f"\n[bold]{self.length.days} days have passed[/]; it is {period.until:%a %d %b %Y}")
        print_counts(console, counts, world.refused)
        if story is not None:
            print_story(console, story)
        print_audit(console, audit, late, inst.clock)
        path = self.settings.data_dir / "report.html"
        report = report_of(outcomes, inst.tracks.current)
        write(report, path)
        print_report(console, report, path)
        print_links(console, stack.engine.ui_url, story)
        if self.as_json:
            print_json(
                counts.as_json()
                | {
                    "not_enrolled": dict(world.refused),
                    "behaviours": world.reported,
                    "checked_touches": audit.touches,
                    "violations": list(audit.violations),
                    "wakes_99_percent_within_seconds": round(share_within(late, 0.99), 3),
                    "restarts": stack.worker.restarts,
                    "report": report.as_json(),
                }
            )


def fresh_folder(folder: Path) -> None:
    """Empty a demo's folder. Raises SettingsError if it is in use, or holds what no demo put there."""
    private_folder(folder)
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
