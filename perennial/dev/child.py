"""A child process that is kept running: started again when it dies, and ended with this process, however that ends."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from nurture.errors import SettingsError
from perennial.platform.paths import IMPORTED_FROM

Say = Callable[[str], None]

_PATIENCE = 30.0  # seconds: longer than the worker gives its activities to finish
_SHORT_LIFE = 20.0  # seconds: a child that dies sooner would die again
_LIVES = 3
_WRONG_SETTINGS = 4  # the exit code when starting again would not help


@dataclass(slots=True)
class Child:
    """A Python program of ours as a child, started again when it dies.

    It is ready once it writes a line that begins with `ready_line`; the rest of that line is `told`. Lines that begin
    with its name are passed on to `say`. `log` takes its other output; without, our error output does.
    """

    name: str
    arguments: Sequence[str]
    variables: Mapping[str, str]
    ready_line: str
    say: Say
    log: Path | None = None
    restarts: int = 0
    told: str = ""
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
                raise SettingsError(f"the {self.name} does not stay up; {self._see()}")
            self.restarts += 1
            self.say(f"the {self.name} died ({_cause(code)}); starting it again")

    async def _start(self) -> Process:
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("TEMPORAL_")}
        with _error_output(self.log) as errors:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *self.arguments,
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                env=inherited | dict(self.variables) | {"PYTHONPATH": str(IMPORTED_FROM)},
                process_group=0,  # a Ctrl-C in the terminal is for us, who stop things in order
            )

    async def _listen(self, process: Process) -> None:
        """Until its output ends, pass on what it says; Temporal's core writes its warnings there too."""
        assert process.stdout is not None
        with _error_output(self.log) as errors:
            async for line in process.stdout:
                text = line.decode(errors="replace").strip()
                if text.startswith(self.ready_line):
                    self.told = text.removeprefix(self.ready_line).strip()
                    self._ready.set()
                if text.startswith(f"{self.name}: "):
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


@contextmanager
def _error_output(log: Path | None) -> Iterator[Any]:
    if log is None:
        yield None
        return
    with log.open("ab") as output:
        yield output


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
