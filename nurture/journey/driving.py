"""Drive a run to where it stops or is lost, and say where a track's code went wrong."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nurture.errors import EndlessError, PerennialError, TrackError
from nurture.journey.calls import Ahead, Lost, Stop, signature
from nurture.journey.facts import Waiting

if TYPE_CHECKING:
    from nurture.journey.run import Run
    from nurture.journey.track import Track


def drive(
    run: Run,
    track: Track,
    at_loss: Callable[[Any], None] | None = None,
    at_stop: Callable[[Any], None] | None = None,
) -> Stop | Lost:
    """Drive a run to where it stops or is lost; then `at_stop` or `at_loss` sees the coroutine as it stands.

    Raises TrackError, naming the line, for what the code does wrong.
    """
    coroutine = run.whole()
    try:
        found = coroutine.send(None)
        if isinstance(found, Lost) and at_loss is not None:
            at_loss(coroutine)
        if isinstance(found, Stop) and at_stop is not None:
            at_stop(coroutine)
        if isinstance(found, Stop | Lost):
            return found
        where = _line_of(coroutine, track)
    except PerennialError:
        raise
    except (Exception, SystemExit) as error:
        raise TrackError(f"{_line_of_error(error, track)}: {type(error).__name__}", str(error)) from error
    finally:
        close(run, coroutine)
    raise TrackError(f"{where}: awaits {found!r}, which is no step of the lead")


def note_what_follows(run: Run, coroutine: Any) -> None:
    """Complete the wait that a run has just come to rest in: what the code comes to next, should the time run out."""
    wait = run.derived[-1] if run.derived else None
    if type(wait) is not Waiting:
        return
    reason, notes = run.reason, run.notes
    run.notes, run.looking = [], True
    try:
        found = coroutine.send(None)
    except EndlessError:
        raise
    except Exception:  # noqa: BLE001 - what the code does wrong further on is told when the lead is there
        found = None
    if isinstance(found, Ahead):
        run.derived[-1] = replace(wait, then=signature(found.call, run.scope))
    run.reason, run.notes = reason, notes


def close(run: Run, coroutine: Any) -> None:
    """End a run where it is: whatever the code still calls for on its way out is not heard."""
    run.closed = True
    with suppress(Exception):
        coroutine.close()


def _line_of(coroutine: Any, track: Track) -> str:
    where, inner = track.where, coroutine
    while inner is not None and getattr(inner, "cr_frame", None) is not None:
        frame = inner.cr_frame
        if frame.f_code.co_filename == track.file:
            where = f"{track.file}:{frame.f_lineno}"
        inner = inner.cr_await
    return where


def _line_of_error(error: BaseException, track: Track) -> str:
    walked = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in walked if frame.f_code.co_filename == track.file]
    return f"{track.file}:{lines[-1]}" if lines else track.where
