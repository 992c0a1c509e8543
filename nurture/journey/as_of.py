"""The lead as of the place that a run has come to: what a track reads of it, observed.

Everything is as of the last entry that the run has passed, so that a run over old steps sees the lead of that time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from nurture.journey.matchers import Matcher
from nurture.journey.reads import Length, ObservedInt, ObservedStr, observe
from nurture.journey.segment_reads import Named, segment_name
from nurture.journey.wording import say_within
from nurture.timing.cadence import cadence as work_out_cadence

if TYPE_CHECKING:
    from nurture.journey.run import Run


def score(run: Run) -> ObservedInt:
    """The score."""
    return _number(run, run.journal.scored(run.position).score, "score")


def stage(run: Run) -> str:
    """The stage."""
    return _text(run, run.journal.scored(run.position).stage, "stage")


def trait(run: Run, name: str, default: str) -> str:
    """A slug from the profile, as it was at enrolment."""
    return _text(run, run.journal.enrolled.traits.get(name, default), name)


def has(run: Run, matcher: Matcher, within: timedelta | None) -> bool:
    """Whether the lead has behaved so since it enrolled, or within a time before."""
    require_matcher(matcher)
    if within is not None and not (isinstance(within, timedelta) and within >= timedelta(0)):
        raise TypeError(f"within= is a length to look back, such as within=days(30), not {within!r}")
    since = moment(run, run.position) - within if within is not None else None
    found = any(
        (since is None or (fact.last or fact.at) >= since) and run.names.hears(matcher, fact.name, fact.subject)
        for fact in run.journal.behaved(run.position)
    )
    answer = found if run.reader is None else run.reader.judge(f"has {matcher}", found)
    if answer is found:
        run.notes.append((matcher, within, found))
    return answer


def times(run: Run, matcher: Matcher) -> ObservedInt:
    """How often the lead has behaved so since it enrolled."""
    require_matcher(matcher)
    behaved = run.journal.behaved(run.position)
    count = sum(fact.times for fact in behaved if run.names.hears(matcher, fact.name, fact.subject))
    return _number(run, count, f"times it {matcher}")


def is_in(run: Run, segment: Named | str) -> bool:
    """Whether the lead is in a segment; not if that was never found out."""
    name = segment_name(segment)
    question = say_within(name)
    found = run.journal.belongs(name, run.position) or False
    answer = found if run.reader is None else run.reader.judge(question, found)
    if answer is found:
        run.notes.append((question, answer))
    return answer


def require_matcher(asked: object) -> None:
    """Raise TypeError for what matches no behaviour: a name, or a matcher that was not called."""
    if not isinstance(asked, Matcher):
        raise TypeError(f"a behaviour is asked for by a matcher, such as page_viewed('/pricing*'), not {asked!r}")


def cadence(run: Run) -> Length:
    """The lead's own cadence, worked out when it is needed."""
    position = run.position

    def work_out() -> timedelta:
        scored = run.journal.scored(position)
        last = run.journal.last_seen(position)
        quiet = (moment(run, position) - last).total_seconds() / 86_400 if last is not None else None
        length = work_out_cadence(scored.score, scored.stage, quiet)
        run.notes.append(("cadence", length))
        return length

    return Length(work_out, "cadence")


def value(run: Run, activity: str, returned: Any) -> Any:
    """What an engineer's own activity returned."""
    return observe(returned, f"value of {activity}", run.notes, run.judge)


def moment(run: Run, position: int) -> datetime:
    """When the fact at a position was recorded, or derived."""
    settled = len(run.journal)
    if position < settled:
        return run.journal.facts[position].at
    derived = run.derived[position - settled :]  # none yet where a reading knows that a wait will have ended
    return derived[0].at if derived else run.now


def _number(run: Run, value: int, name: str) -> ObservedInt:
    observed = ObservedInt(value)
    observed.name, observed.notes, observed.judge = name, run.notes, run.judge
    return observed


def _text(run: Run, value: str, name: str) -> str:
    run.notes.append((name, value or "not known"))
    if run.reader is None:
        return value
    observed = ObservedStr(value)
    observed.name, observed.notes, observed.judge = name, run.notes, run.judge
    return observed
