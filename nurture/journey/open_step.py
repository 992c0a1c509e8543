"""The open step: the first that the journal has not settled. How it is settled, in this order:

1. A new score at the threshold starts the graduation in place of the step.
2. A pause parks the lead.
3. A wait that the code no longer has keeps the lead until its end, again after a graduation that interrupted it; a step
   to catch up on comes next.
4. A choice, and a wait that is over, are derived and recorded; a wait that is not over, and a send that the gate put
   off, are where the lead parks; any other step is what comes next.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, assert_never

from nurture.errors import EndlessError
from nurture.journey.calls import Ahead, Call, ChoiceCall, EndCall, StepCall, Stop, WaitCall
from nurture.journey.decision import AnyStep, Finish, Park, ParkReason
from nurture.journey.facts import Chosen, Finished, Graduated, Waited, Waiting
from nurture.journey.interrupts import armed_again, graduating_score, pause_of
from nurture.journey.journal import Entry
from nurture.journey.keys import CATCH_UP, START, WAIT, Key
from nurture.journey.matchers import Matcher
from nurture.journey.settle import TO, deadline_of, ended_wait, put_off

if TYPE_CHECKING:
    from nurture.journey.run import Run

MOST_STEPS = 1_000
"""A plan gives up after that many derived steps: such a track never comes to rest."""


async def settle(run: Run, call: Call, key: str, opened: Entry | None) -> Any:
    """Settle a call that nothing in the journal answers; it stops the run unless it is derived.

    `opened` is the entry of the open wait, if the call is for it; `key` what the step is called already, if it is.
    """
    await _look(run, call)
    caught_up = run.caught_up_on(call)
    if caught_up is not None:
        return caught_up
    interrupted: Entry | None = None
    while True:
        if run.reader is not None and (known := run.reader.beyond(call)) is not None:
            return known
        if len(run.derived) > MOST_STEPS:
            raise EndlessError(f"{run.track.where}: {MOST_STEPS} steps without one that takes time")
        graduated = _graduation(run)
        if graduated is not None:
            opened = None  # the graduation takes its place
            interrupted = run.left_wait
            run.derived.append(graduated)
            await run.graduate(graduated, len(run.journal) + len(run.derived) - 1)
            await _look(run, call)
            continue
        pause = pause_of(run.journal)
        if pause is not None:
            run.notes.append(pause)
            await _park(run, key or _key_of(run, call), None, None, "paused")
        if run.left_wait is None:
            break
        await _sit_out(run, call, again=run.left_wait is interrupted)
    await _catch_up(run)
    return await _take(run, call, key or _key_of(run, call), opened)


async def _look(run: Run, call: Call) -> None:
    """Stop at this call if the run only looks ahead."""
    if run.looking:
        await Ahead(call)


async def _sit_out(run: Run, call: Call, *, again: bool) -> None:
    """Keep the lead in the wait that the code no longer has; from its start if a graduation interrupted it."""
    left, run.left_wait = run.left_wait, None
    assert left is not None
    opened = left if left is run.journal.stands and not again else None
    await _wait(run, _call_of(left), left.fact.key, opened)
    await _look(run, call)
    if run.reader is not None:
        run.reader.moved_on()


async def _take(run: Run, call: Call, key: str, opened: Entry | None) -> Waited | Chosen:
    match call:
        case WaitCall():
            return await _wait(run, call, key, opened)
        case ChoiceCall():
            chosen = Chosen(run.now, key, run.variant(call) if call.stage is None else run.picked(call))
            _stand_on(run, chosen)
            return chosen
        case StepCall():
            run.note_former_names(call)
            await _step(run, call.make(key))
        case EndCall():
            run.derived.append(Finished(run.now, call.outcome))
            await Stop(Finish(call.outcome))
        case _:
            assert_never(call)
    raise AssertionError  # pragma: no cover - a run that stops goes no further


async def _wait(run: Run, call: WaitCall, key: str, opened: Entry | None) -> Waited:
    journal = run.journal
    since = journal.progress
    start = journal.facts[since].at
    for offset in range(len(run.derived) - 1, -1, -1):
        if isinstance(run.derived[offset], Waited | Graduated):
            since, start = len(journal) + offset, run.derived[offset].at
            break
    known: Waiting | None = None
    if opened is not None and opened.fact.key == key and run.fits(call, opened):
        known = opened.fact
        deadline = known.deadline
        if deadline is not None and journal.pauses and call.end is None:
            deadline += journal.stood_still(opened.index, run.now)
    else:
        deadline = deadline_of(call, start, since, journal, run.now)
    waited = ended_wait(call, key, since, deadline, journal, run.names, run.now)
    if waited is None:
        if known is None:
            run.derived.append(Waiting(run.now, key, call.span, call.patterns, deadline))
        await _park(run, key, deadline, call.until, "wait")
        # Only a run that looks ahead goes on from here
        return Waited(run.now, key, "time", "", "", call.span, call.patterns)
    _stand_on(run, waited)
    return waited


async def _step(run: Run, step: AnyStep) -> None:
    deferred = put_off(step.key, run.journal, run.now)
    if deferred is not None:
        run.notes.append(deferred)
        await _park(run, step.key, deferred.until, None, "deferred")
    await Stop(step)


async def _catch_up(run: Run) -> None:
    """Give the lead, before anything else, what it is to have though it was past it; no step is done twice."""
    for call in run.catching_up:
        if not any(entry.acted and run.fits(call, entry) for entry in run.entries):
            await _step(run, call.make(_key_of(run, call, CATCH_UP)))


async def _park(run: Run, key: str, until: datetime | None, matcher: Matcher | None, why: ParkReason) -> None:
    listens = run.track.exits.patterns
    if matcher is not None:
        listens = run.names.patterns(matcher) + listens
    await Stop(Park(key, until, listens, None if why == "paused" else _armed_at(run), why))


def _stand_on(run: Run, fact: Waited | Chosen) -> None:
    """Record a derived fact, and stand there."""
    run.derived.append(fact)
    key = Key.parse(fact.key)
    name = str(key.numbered(1))
    run.derived_keys[name] = max(key.count, run.derived_keys.get(name, 0))
    run.position = len(run.journal) + len(run.derived) - 1
    if isinstance(fact, Chosen):
        run.notes.append(fact)
    else:
        run.because_of(fact)


def _key_of(run: Run, call: Call, scope: str | None = None) -> str:
    """The key of a call that the journal has not settled: it counts from what the journal holds."""
    if isinstance(call, EndCall):
        return call.name
    scope = run.scope.removesuffix("/") if scope is None else scope
    if isinstance(call, WaitCall):
        anchor = START if run.last_done is None else run.last_done.key.removeprefix(run.scope)
        key = Key(WAIT, scope=scope, anchor=anchor)
    else:
        verb, _, subject = call.name.partition(":")
        key = Key(verb, subject, scope=scope)
    name = str(key)
    key = key.numbered(run.derived_keys.get(name, 0) + 1)
    while (text := str(key)) in run.journal.steps:
        key = key.numbered(key.count + 1)
    return text


def _call_of(left: Entry) -> WaitCall:
    """The wait that the lead stands in, though the code no longer has it."""
    fact: Waiting = left.fact
    length: timedelta | None = None
    end: datetime | None = None
    match fact.length:
        case float() | int():
            length = timedelta(seconds=fact.length)
        case str() if fact.length.startswith(TO):
            end = fact.deadline
        case str() if fact.deadline is not None:
            length = fact.deadline - fact.at
    return WaitCall(length, end, Matcher(fact.until), fact.length)


def _armed_at(run: Run) -> int | None:
    """The score that would graduate the lead now; none while a team has the lead, and inside a graduation."""
    threshold = run.track.graduates_at
    if threshold is None or run.scope or run.offered:
        return None
    if not run.graduated:
        return threshold
    if run.graduated > len(run.journal.graduations) or not armed_again(threshold, run.journal):
        return None
    return threshold


def _graduation(run: Run) -> Graduated | None:
    if run.journal.scores[-1] < run.journal.decided:
        return None
    threshold = _armed_at(run)
    if threshold is None:
        return None
    score = graduating_score(threshold, run.journal, run.offer_seen)
    return Graduated(run.now, score) if score is not None else None
