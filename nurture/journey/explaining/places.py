"""Where in the track's code a run is, seen from its frames: the line that calls or reads, and the helpers around it."""

from __future__ import annotations

import sys
from types import FrameType

from nurture.journey import as_of, lead, reads, skipped
from nurture.journey import run as running

Site = tuple[int, int]
"""A line of the track's code: which function, and where in it."""

NOWHERE_IN_CODE: Site = (0, 0)

_READS = {reads.__file__, as_of.__file__, lead.__file__, skipped.__file__}


def whereabouts() -> tuple[Site, tuple[FrameType, ...]]:
    """The line of the track's code that calls, and the calls of helpers that it is in, the innermost first."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the run that asks
    while frame is not None and frame.f_code.co_filename != lead.__file__:
        frame = frame.f_back
    found: list[FrameType] = []
    while frame is not None and frame.f_code.co_filename != running.__file__:
        if frame.f_code.co_filename != lead.__file__:
            found.append(frame)
        frame = frame.f_back
    site = (id(found[0].f_code), found[0].f_lasti) if found else NOWHERE_IN_CODE
    return site, tuple(found[:-1])  # the track's own function is no helper


def line_of_read() -> Site:
    """The line of the track's code that reads."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - what the code reads
    while frame is not None and frame.f_code.co_filename in _READS:
        frame = frame.f_back
    return (id(frame.f_code), frame.f_lasti) if frame is not None else NOWHERE_IN_CODE
