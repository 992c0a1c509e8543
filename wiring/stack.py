"""The embedded stack: Temporal's development server, a migrated database, the clock, and a worker, in one process tree.

The worker is a child process: its death takes nothing else down, and it has a core of its own. It is started again
when it dies, and it ends, in-flight activities first, when its standard input closes: with this process, however that
ends.
"""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from nurture.errors import SettingsError
from wiring.clock import set_clock
from wiring.database import Database
from wiring.embedded import Engine, embedded_engine
from wiring.migrations import upgrade
from wiring.settings import Settings, variable
from wiring.temporal import connect, ensure_search_attributes
from wiring.worker import Installation, installation

T = TypeVar("T")
Say = Callable[[str], None]

ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 30.0  # seconds: longer than the worker gives its activities to finish
_SHORT_LIFE = 20.0  # seconds: a worker that dies sooner would die again
_LIVES = 3
_WRONG_SETTINGS = 4  # worker.py's exit code when starting again would not help
_MINE = ("data_dir", "database_url", "task_queue", "content_dir", "provider")


@dataclass(slots=True)
class WorkerProcess:
    """`worker.py` as a child, started again when it dies. `log` takes its error output; without, ours does."""

    settings: Settings
    address: str
    say: Say
    log: Path | None = None
    restarts: int = 0
    _process: Process | None = field(default=None, repr=False)
    _ready: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def pid(self) -> int:
        """The child's process id, at present."""
        assert self._process is not None
        return self._process.pid

    async def ready(self) -> None:
        """Return once it polls."""
        await self._ready.wait()

    async def keep(self) -> NoReturn:
        """Start it, and start it again whenever it dies; raises SettingsError if it does not stay up."""
        short_lives = 0
        while True:
            born = time.monotonic()
            self._ready.clear()
            self._process = await self._start()
            try:
                await self._listen(self._process)
                code = await self._process.wait()
            finally:
                await self._stop(self._process)
            short_lives = short_lives + 1 if time.monotonic() - born < _SHORT_LIFE else 0
            if code == _WRONG_SETTINGS or short_lives == _LIVES:
                raise SettingsError(f"the worker does not stay up; {self._see()}")
            self.restarts += 1
            self.say(f"the worker died ({_cause(code)}); starting it again")

    async def _start(self) -> Process:
        variables = {name: value for name, value in os.environ.items() if not name.upper().startswith("TEMPORAL_")}
        for name in _MINE:
            variables[variable(name)] = str(getattr(self.settings, name))
        with _error_output(self.log) as errors:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                str(ROOT / "worker.py"),
                "--address",
                self.address,
                "--child",
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                env=variables,
                process_group=0,  # a Ctrl-C in the terminal is for us, who stop things in order
            )

    async def _listen(self, process: Process) -> None:
        """Until its output ends, pass on what it says; Temporal's core writes its warnings there too."""
        assert process.stdout is not None
        with _error_output(self.log) as errors:
            async for line in process.stdout:
                text = line.decode(errors="replace").strip()
                if text.startswith("worker: working"):
                    self._ready.set()
                if text.startswith("worker: "):
                    self.say(text)
                else:
                    (errors or sys.stderr.buffer).write(line)

    async def _stop(self, process: Process) -> None:
        """Close its standard input, which asks it to finish; kill it if it does not in time, or has not begun."""
        if process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        if not self._ready.is_set():
            process.terminate()
        listening = asyncio.create_task(self._listen(process))
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        finally:
            await listening

    def _see(self) -> str:
        if self.log is None:
            return "its last lines are above"
        lines = self.log.read_text(errors="replace").strip().splitlines() or ["nothing"]
        return f"its last line in {self.log}: {lines[-1][-300:]}"


@dataclass(frozen=True, slots=True)
class Stack:
    """An embedded stack that runs."""

    engine: Engine
    inst: Installation
    worker: WorkerProcess
    _failing: tuple["asyncio.Task[NoReturn]", ...] = field(repr=False)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work`; raises SettingsError at once if the server ends, its disk fills up or the worker stays down."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, *self._failing}, return_when=asyncio.FIRST_COMPLETED)
            for failed in self._failing:
                if failed.done():
                    failed.result()
            return task.result()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


@asynccontextmanager
async def embedded_stack(
    settings: Settings,
    say: Say,
    *,
    speed: float | None = None,
    port: int | None = None,
    ui_port: int | None = None,
    worker_log: Path | None = None,
) -> AsyncIterator[Stack]:
    """Start everything on the settings' data folder, and stop it in order at the end: worker, then server.

    `speed` fixes the clock of a new folder. What an earlier run left goes on where it stood. Raises SettingsError if
    the folder is in use, a port is taken, the disk is full, or its clock runs at another speed. The worker is still
    starting when the block begins: `worker.ready()`.
    """
    async with AsyncExitStack() as held:
        engine = await held.enter_async_context(embedded_engine(settings.data_dir, port=port, ui_port=ui_port))
        watch = held.enter_context(_task(engine.watch()))
        await upgrade(settings.database_url)
        if speed is not None:
            await _fix_clock(settings, speed)
        await ensure_search_attributes(await connect(engine.address))
        worker = WorkerProcess(settings, engine.address, say, worker_log)
        keep = asyncio.create_task(worker.keep())
        held.push_async_callback(_ended, keep)
        inst = await held.enter_async_context(installation(settings, engine.address))
        yield Stack(engine, inst, worker, (watch, keep))


async def _fix_clock(settings: Settings, speed: float) -> None:
    database = Database(settings.database_url)
    try:
        await set_clock(database, speed)
    finally:
        await database.close()


async def _ended(task: "asyncio.Task[NoReturn]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, SettingsError):
        await task


@contextmanager
def _task(work: Coroutine[Any, Any, NoReturn]) -> Iterator["asyncio.Task[NoReturn]"]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()


@contextmanager
def _error_output(log: Path | None) -> Iterator[Any]:
    if log is None:
        yield None
        return
    with log.open("ab") as output:
        yield output


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
