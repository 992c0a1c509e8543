"""What is right after an edit, and how a life is judged by it.

The first oracle is exact: the engine's life is the model's (`tests.laws.model`), act for act and minute for minute.
Where the evidence leaves a case open, the engine cannot know better, and nothing is counted as wrong:

- one edit of another track that would have left the very same journal gives the life that was lived
  (`likely_origins`): the first of two equal waits was taken out, or the second;
- the edit moved a step, and two steps put into another track give the life that was lived: a wait that was moved
  looks like a new one;
- a wait that an edit moved ahead of the lead, who had waited it, may be waited again; of a list in another order, what
  now stands before the lead's item may come or not: either the item was moved, or the others were;
- a step was moved into or out of a loop: in which pass it was done is not recorded;
- the wait that a graduation interrupted was taken out, or the code had come to its end while the lead was paused;
- more than half of what was done is no longer in the code: the lead may be held.

The second are bounds that hold over any number of edits: no piece is mailed more often than some version of the code
would, and at the moment of an edit nobody is ended and nobody is mailed whom the model lets wait.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Literal, NamedTuple

from tests.laws.edits import likely_origins
from tests.laws.lives import Life, Planned, Rest, When
from tests.laws.model import Leeway, Model
from tests.laws.tracks import ITEM, LOOPS, SHELF, Block, For, If, Pieces, Program, Send, inner_blocks
from tests.laws.world import World, root

HORIZON = 250.0
MANY = 10_000
LEEWAYS = (Leeway(redo=True), Leeway(rest=True), Leeway(redo=True, rest=True))
Verdict = Literal["right", "ambiguous", "open", "held", "held rightly", "error", "wrong", "over"]
Acts = list[tuple[datetime, str]]


@dataclass(frozen=True)
class Case:
    """A life with edits: the lead lives on `before`, and from each day on, on the program that belongs to it."""

    before: Program
    edits: tuple[tuple[float, Program], ...]
    world: World
    when: When = "at once"
    compacts: float = 0.0

    @property
    def versions(self) -> list[Program]:
        """Every version of the code."""
        return [self.before, *(program for _, program in self.edits)]


@dataclass
class Judged:
    """How a case came out; the counts are of edits at whose moment something happened that the model does not do."""

    verdict: Verdict = "right"
    expected: Acts = field(default_factory=list)
    got: Acts = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    at_once: int = 0
    ended: int = 0
    held: int = 0
    twice: list[str] = field(default_factory=list)
    why: str = ""


def judge(case: Case) -> Judged:
    """Live the case with the engine and with the model, and compare."""
    judged, edited = Judged(), False
    life = Life(Planned(case.before, compacts=case.compacts, seed=case.world.seed), case.world)
    mind = Model(case.before)
    model = Life(mind, case.world)
    for day, program in case.edits:
        try:
            life.live(day)
        except Exception as error:  # noqa: BLE001 - whatever the engine raises is a finding
            return _broken(judged, life, error)
        model.live(day)
        if life.ended is not None:
            break
        model.edit(program, case.when)
        rested = _Rested(life.resting, len(life.acts), life.now)
        started = perf_counter()
        try:
            life.edit(program, case.when)
        except Exception as error:  # noqa: BLE001 - as above
            return _broken(judged, life, error)
        if case.when == "at once":
            judged.seconds.append(perf_counter() - started)
        edited = True
        _at_once(judged, life, model, rested)
    try:
        life.live(HORIZON)
    except Exception as error:  # noqa: BLE001 - as above
        return _broken(judged, life, error)
    model.live(HORIZON)
    judged.got, judged.expected = life.acts, model.acts
    judged.twice = too_often(case.versions, life.acts)
    if not edited:
        judged.verdict = "over"
        return judged
    judged.verdict = _verdict(case, life, model, mind, judged)
    if judged.verdict in {"right", "ambiguous", "open"}:
        judged.at_once = judged.ended = 0
    return judged


def _broken(judged: Judged, life: Life, error: Exception) -> Judged:
    judged.verdict, judged.got, judged.why = "error", life.acts, f"{type(error).__name__}: {error}"
    return judged


class _Rested(NamedTuple):
    """Where a life rested when an edit came: there, after this many acts, at this moment."""

    at: Rest | None
    acts: int
    now: datetime


def _at_once(judged: Judged, life: Life, model: Life, rested: _Rested) -> None:
    """Count what happened at the moment of an edit, to a lead that would have gone on resting, and not to the model."""
    judged.held += life.held
    if rested.at is None or (rested.at.until is not None and rested.at.until <= rested.now):
        return
    mailed = any(act.startswith("send ") and "refused" not in act for _, act in life.acts[rested.acts :])
    expected = any(at == rested.now and act.startswith("send ") for at, act in model.acts)
    judged.at_once += mailed and not expected
    judged.ended += life.ended is not None and model.ended is None


def _verdict(case: Case, life: Life, model: Life, mind: Model, judged: Judged) -> Verdict:
    dropped, done = _dropped(mind, case), len(mind.done_at_edit)
    lost = dropped >= 2 and 2 * dropped > done
    if case.when == "in a step":  # the step that was under way is done by now, and may be dropped as well
        lost = lost or (dropped >= 1 and 2 * (dropped + 1) > done + 1)
    if life.held:
        return "open" if mind.open_question else "held rightly" if lost else "held"
    if life.acts == model.acts:
        return "right"
    if lost:
        return "open"  # it was dropped, or explained in some other way
    judged.why = mind.open_question
    for leeway in LEEWAYS:
        again, mind_again = _relive(case, leeway)
        if life.acts == again.acts:
            return "right"
        judged.why = judged.why or mind_again.open_question
    if judged.why:
        return "open"
    return "ambiguous" if len(case.edits) == 1 and _explained_otherwise(case, life) else "wrong"


def _relive(case: Case, leeway: Leeway, before: Program | None = None) -> tuple[Life, Model]:
    mind = Model(before or case.before, leeway)
    life = Life(mind, case.world)
    for day, program in case.edits:
        life.live(day).edit(program, case.when)
    return life.live(HORIZON), mind


def _dropped(mind: Model, case: Case) -> int:
    """How many of the steps done are no longer in the code, or stand in a list in another order than they were done."""
    now, before = case.versions[-1].statements(), case.before
    gone = 0
    orders: dict[int, list[int]] = {}
    for id_, what in mind.done_at_edit:
        lists = [loop for loop in map(now.get, before.path(id_)) if isinstance(loop, For)]
        send = now.get(id_)
        if id_ not in now:
            gone += 1
        elif lists and isinstance(send, Send) and send.piece == ITEM:
            items = lists[-1].items
            if what in items:
                orders.setdefault(lists[-1].id, []).append(items.index(what))
            else:
                gone += 1
    return gone + sum(len(order) - _longest_rise(order) for order in orders.values())


def _longest_rise(order: list[int]) -> int:
    best: list[int] = []
    for at, each in enumerate(order):
        best.append(1 + max((best[earlier] for earlier in range(at) if order[earlier] < each), default=0))
    return max(best, default=0)


def _explained_otherwise(case: Case, lived: Life) -> bool:
    """Whether one edit of another track with the same journal gives the life that was lived."""
    ((day, after),) = case.edits
    truth = Model(case.before)
    before = Life(truth, case.world).live(day)
    moved = set(after.statements()) == set(case.before.statements())
    for origin in likely_origins(after, case.before, pairs=moved):
        mind = Model(origin)
        try:
            life = Life(mind, case.world).live(day)
            if life.acts != before.acts or mind.history != truth.history or mind.asking != truth.asking:
                continue
            if any(_relive(case, leeway, origin)[0].acts == lived.acts for leeway in (Leeway(), *LEEWAYS)):
                return True
        except (AssertionError, RecursionError, StopIteration):  # no track that the model can follow
            continue
    return False


def too_often(versions: list[Program], acts: Acts) -> list[str]:
    """The pieces that were sent more often than any version of the code sends them on any path."""
    most: Counter[str] = Counter()
    for program in versions:
        again = dict.fromkeys(_most(program.graduation), MANY)  # a graduation may come again
        most |= _most(program.main) + Counter(again)
    sent = Counter(root(act.removeprefix("send ").removesuffix(" refused")) for _, act in acts if act[:5] == "send ")
    return [piece for piece, number in sent.items() if number > most[piece]]


def _most(block: Block) -> Counter[str]:
    """How often a block sends each piece at most."""
    found: Counter[str] = Counter()
    for each in block:
        inner = [_most(body) for _, body in inner_blocks(each)]
        match each:
            case Send(piece=piece) if piece != ITEM:
                found[root(piece)] += 1
            case If():
                found += inner[0] | inner[1]
            case _:
                for body in inner:
                    found += Counter(dict.fromkeys(body, MANY)) if isinstance(each, LOOPS) else body
        if isinstance(each, For):
            found += Counter({root(item): 1 for item in each.items})
        if isinstance(each, Pieces):
            found += Counter(dict.fromkeys(SHELF["awareness"] + SHELF["consideration"], 1))
    return found
