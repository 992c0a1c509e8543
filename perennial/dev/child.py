"""Keep a child process running: start it again when it dies, and end it with this process, however that ends."""

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
from perennial.platform.private_files import UMASK, private_file

Announce = Callable[[str], None]

_PATIENCE = 30.0  # seconds: longer than the worker gives its activities to finish
_SHORT_LIFE = 20.0  # seconds: a child that dies sooner would die again
_LIVES = 3
_WRONG_SETTINGS = 4  # the exit code when starting again would not help


@dataclass(slots=True)
class Child:
    """One of our programs as a child process, started again when it dies.

    It is ready once it writes a line that begins with `ready_line`; `ready_text` is the rest of that line. Lines that
    begin with its name go to `announce`, its other output to `log`, or to our error output if there is none.
    """

    name: str
    arguments: Sequence[str]
    variables: Mapping[str, str]
    ready_line: str
    announce: Announce
    log: Path | None = None
    restarts: int = 0
    ready_text: str = ""
    _process: Process | None = field(default=None, repr=False)
    _ready: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def pid(self) -> int:
        """The process id of the child that runs now."""
        assert self._process is not None
        return self._process.pid

    async def ready(self) -> None:
        """Return once it is ready."""
        await self._ready.wait()

    async def keep(self) -> NoReturn:
        """Start it, and again whenever it dies. Raises SettingsError if it does not stay up."""
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
            self.announce(f"the {self.name} died ({ending(code)}); starting it again")

    async def _start(self) -> Process:
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("TEMPORAL_")}
        with _error_output(self.log) as errors:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *self.arguments,
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                env=inherited | dict(self.variables) | {"PYTHONPATH": _python_path()},
                umask=UMASK,
                process_group=0,  # a Ctrl-C in the terminal reaches us alone, and we stop things in order
            )

    async def _listen(self, process: Process) -> None:
        """Pass on its output until that ends; Temporal's core writes its warnings there too."""
        assert process.stdout is not None
        with _error_output(self.log) as errors:
            async for line in process.stdout:
                text = line.decode(errors="replace").strip()
                if text.startswith(self.ready_line):
                    self.ready_text = text.removeprefix(self.ready_line).strip()
                    self._ready.set()
                if text.startswith(f"{self.name}: "):
                    self.announce(text)
                else:
                    (errors or sys.stderr.buffer).write(line)

    async def _stop(self, process: Process) -> None:
        """Close its standard input, which asks it to finish. Terminate one not ready yet; kill one that is late."""
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


def _python_path() -> str:
    """Perennial's own place first, then where a company's programme may lie."""
    return os.pathsep.join(filter(None, (str(IMPORTED_FROM), os.environ.get("PYTHONPATH"))))


@contextmanager
def _error_output(log: Path | None) -> Iterator[Any]:
    if log is None:
        yield None
        return
    private_file(log)
    with log.open("ab") as output:
        yield output


def ending(code: int) -> str:
    """How a process ended: `signal 9`, `exit code 1`."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
