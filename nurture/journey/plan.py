"""plan: what comes next for a lead, and because of what. Pure and deterministic.

The track's function is run over the journal; every step that is settled there returns its recorded result. What
becomes of the first one that is not is the frontier's: see `nurture.journey.frontier`.
"""

from __future__ import annotations

import traceback
from datetime import datetime
from typing import Any

from nurture.content.catalogue import Catalogue
from nurture.errors import PerennialError, TrackError
from nurture.journey.asks import Stop
from nurture.journey.decision import AnyNext, Decision, Finish, Park
from nurture.journey.facts import Done
from nurture.journey.frontier import MOST_STEPS, Run, outcome_of
from nurture.journey.journal import TOLERANCE, Journal
from nurture.journey.track import Track
from nurture.journey.wording import say_reason

__all__ = ["MOST_STEPS", "NO_CONTENT", "TOLERANCE", "look_ahead", "plan"]

NO_CONTENT = Catalogue({})


def plan(track: Track, journal: Journal, now: datetime, catalogue: Catalogue = NO_CONTENT) -> Decision:
    """What comes next for a lead with this journal at `now` (aware, UTC).

    Raises TrackError, naming the line, if the track's code raises, or awaits anything but a step of the lead.
    """
    end = journal.end
    if end is not None:
        return Decision((), Finish(outcome_of(end)), (say_reason(end),))
    run = Run(track, journal, now, catalogue)
    return run.decided(_drive(track, run))


def look_ahead(
    track: Track, journal: Journal, decision: Decision, now: datetime, catalogue: Catalogue = NO_CONTENT
) -> Decision:
    """The decision, with `then`: where the lead parks once its next step has succeeded at `now`, if it parks."""
    step = decision.next
    if isinstance(step, Park | Finish):
        return decision
    done = Done(at=now, key=step.key, result=step.expected)
    after = plan(track, journal.after(decision.facts).after([done]), now, catalogue)
    if not isinstance(after.next, Park):
        return decision
    return Decision(decision.facts, decision.next, decision.because, after)


def _drive(track: Track, run: Run) -> AnyNext:
    """Run the track over the journal up to its Stop; what that says comes next."""
    coroutine = run.whole()
    try:
        found = coroutine.send(None)
        if isinstance(found, Stop) and found.next is not None:
            return found.next
        where = _line_of(coroutine, track)
    except PerennialError:
        raise
    except Exception as error:
        raise TrackError(f"{_line_of_error(error, track)}: {type(error).__name__}: {error}") from error
    finally:
        coroutine.close()
    raise TrackError(f"{where}: awaits {found!r}, which is no step of the lead")


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
