"""Watch a track while it runs: calls that it must not make, and running on without end, each with its line.

`nurture.journey.rules` finds what the source spells out; this finds what hides behind a call.
"""

from __future__ import annotations

import builtins
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import FrameType
from typing import Any

from nurture.errors import EndlessError
from nurture.journey.rules import CLOCKS, FORBIDDEN_BUILTINS, PURE_MODULES, REMEDY, forbidden_module

MOST_LINES = 50_000
"""A run of a track over more lines than this will not come to a step."""

MOST_DEEP = 40
"""A track whose functions call each other deeper than this calls itself without an end."""

_OURS = str(Path(__file__).parents[1])
_PLAN = str(Path(__file__).parents[1] / "journey" / "plan.py")
_SAME = {"posix": "os", "nt": "os", "_pyio": "io"}


class Guard:
    """Watches the code of one track, in these files, while `watching()`.

    `breaches` are `file:line: what; remedy`; `where` is the last line of the track that ran, as `file:line`.
    """

    def __init__(self, *files: str) -> None:
        self.files = files
        self.breaches: dict[str, None] = {}
        self.where = ""
        self._lines = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch what runs in the block, and put back the profiler and tracer that were set before."""
        profiler, tracer = sys.getprofile(), sys.gettrace()
        self._lines = 0
        collecting = gc.isenabled()
        gc.disable()  # what others do at a collection is not the track's doing
        sys.settrace(self._trace)
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(profiler)
            sys.settrace(tracer)
            if collecting:
                gc.enable()

    def _trace(self, frame: FrameType, _event: str, _arg: Any) -> Callable[..., Any] | None:
        if frame.f_code.co_filename.startswith(_OURS):
            return None
        if frame.f_code.co_filename in self.files and self._depth(frame) > MOST_DEEP:
            raise EndlessError(
                f"{self._place(frame)}: {frame.f_code.co_name} calls itself again and again, deeper with each; "
                "write a while loop with a wait in it"
            )
        return self._line

    def _depth(self, frame: FrameType | None) -> int:
        """How many calls of the track's own functions are open."""
        depth = 0
        while frame is not None and frame.f_code.co_filename != _PLAN:
            depth += frame.f_code.co_filename in self.files
            frame = frame.f_back
        return depth

    def _line(self, frame: FrameType, event: str, _arg: Any) -> Callable[..., Any]:
        if event == "line":
            self._lines += 1
            if frame.f_code.co_filename in self.files:
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            if self._lines > MOST_LINES:
                raise EndlessError(f"{self._place(frame) or self.where}: runs on without coming to a step")
        return self._line

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "c_call":
            broken = _breach_of_builtin(arg)
        elif event == "call":
            module = str(frame.f_globals.get("__name__", ""))
            broken = _breach_of_module(module, frame.f_code.co_name)
        else:
            return
        if broken is None:
            return
        place = self._place(frame)
        if place is None:
            return
        caller = frame if event == "c_call" else frame.f_back
        hidden = f"{caller.f_code.co_filename}:{caller.f_lineno}" if caller is not None else place
        also = "" if hidden == place else f", at {hidden}"
        # One breach leads to others further in: report the first.
        if not any(found.startswith(f"{place}: ") for found in self.breaches):
            self.breaches[f"{place}: {broken}{also}; {REMEDY}"] = None

    def _place(self, frame: FrameType | None) -> str | None:
        """The innermost line of the track's own files that led to a frame."""
        while frame is not None and frame.f_code.co_filename != _PLAN:
            if frame.f_code.co_filename in self.files:
                return f"{frame.f_code.co_filename}:{frame.f_lineno}"
            frame = frame.f_back
        return None


def _breach_of_builtin(called: Any) -> str | None:
    name = getattr(called, "__name__", "")
    owner = getattr(called, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, date) and name in CLOCKS:
        return f"reads a clock ({owner.__name__}.{name})"
    if owner is builtins:
        return f"does I/O ({name})" if name in FORBIDDEN_BUILTINS else None
    module = getattr(called, "__module__", None)
    if module is None:
        module = (owner if isinstance(owner, type) else type(owner)).__module__
    return _breach_of_module(module, name)


def _breach_of_module(module: str, name: str) -> str | None:
    root = module.partition(".")[0]
    known = _SAME.get(root, root.removeprefix("_"))
    why = forbidden_module(module if module in PURE_MODULES else known) if known != "sys" else None
    return f"{why} ({known}.{name})" if why else None
