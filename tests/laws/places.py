"""Where a lead stands in the code, and where that is in other code.

A place is the path of statements around the one the lead stands at, with the state of the loops among them. An edit
keeps the `id` of a statement, so the place in the new tree is the path to the same statement there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tests.laws.tracks import (
    GRADUATION,
    ITEM,
    LOOPS,
    Program,
    Sales,
    Send,
    Statement,
    Wait,
    leaves,
)
from tests.laws.world import root

SALES_WAITS = {1: 2.0, 3: 5.0}
"""How long a hand-off waits for an answer, in days, by its phase."""

ANSWERS = ("sales.accepted:*", "deal.opened:*", "deal.won:*", "sales.rejected:*")

State = dict[str, Any]
Path = list[tuple[int, State]]
"""The statements around the one the lead stands at, outermost first; the last is its own."""


class Token(NamedTuple):
    """One step of the way back to a place: `in` a statement, `from` one on, or the `end` of a block."""

    how: str
    id: int
    state: State


@dataclass
class Place:
    """Where the lead stands in one function: the track's, or its graduation's."""

    path: Path = field(default_factory=list)
    asked_in: Program | None = None
    staying: tuple[Wait, timedelta | None] | None = None
    skip_once: set[int] = field(default_factory=set)
    put_off: datetime | None = None


@dataclass(frozen=True)
class Past:
    """What the lead did: the steps done (id, piece), and when each statement was last run, by sequence number."""

    done: list[tuple[int, str]]
    executed: Mapping[int, int]


class Relocation:
    """The place of a lead in other code: `tokens` lead there. `open_question` says what the evidence leaves open."""

    def __init__(self, place: Place, program: Program, past: Past, *, active: bool, graduation: bool) -> None:
        self.place, self.program, self.past = place, program, past
        self.open_question = ""
        self.tokens: list[Token] | None = None
        place.staying = None
        if not place.path or place.asked_in is None:
            return
        self.old = place.asked_in
        self.states = dict(place.path)
        self.leaf = place.path[-1][0]
        path = program.path(self.leaf)
        if path and (program.parents()[path[0]][0] == GRADUATION) == graduation:
            self.tokens = [Token("in", id_, self.states.get(id_, {})) for id_ in path]
            place.skip_once |= self._done_and_ahead()
        else:
            self.tokens = self._after_removed()
            self._leave(active=active)
        self._question_repeats()

    def _leave(self, *, active: bool) -> None:
        """The statement is gone: stay in the wait to its end, leave a send that was put off."""
        statement, state = self.old.statements()[self.leaf], self.states[self.leaf]
        self.place.put_off = None
        if isinstance(statement, Wait) and not active:
            self.open_question = "the wait that a graduation interrupted was taken out"
        elif isinstance(statement, Wait):
            self.place.staying = (statement, state.get("length"))
            assert self.tokens is not None
            following = self.program.statements().get(self.tokens[-1].id)
            if isinstance(following, Wait) and (following.days, following.until) == (statement.days, statement.until):
                self.open_question = "an equal wait follows the one that was taken out"
        elif isinstance(statement, Sales) and active and state.get("phase") in SALES_WAITS:
            days = SALES_WAITS[state["phase"]]
            self.place.staying = (Wait(self.leaf, days, ANSWERS), timedelta(days=days))

    def _after_removed(self) -> list[Token]:
        """The statement the lead stands at is gone: go on with the next that was behind it and is still there."""
        blocks, parents = self.old.blocks(), self.old.parents()
        now_blocks, now_parents = self.program.blocks(), self.program.parents()
        for id_, _ in reversed(self.place.path):
            address = parents[id_]
            ids = [each.id for each in blocks[address]]
            if address not in now_blocks:
                continue
            around = [Token("in", each, self.states.get(each, {})) for each in self.program.path(address[0])]
            for after in ids[ids.index(id_) + 1 :]:
                if now_parents.get(after) == address:
                    return [*around, Token("from", after, {})]
            return [*around, Token("end", 0, {"branch": address[1]})]
        raise AssertionError("the outermost block is always there")

    def _question_repeats(self) -> None:
        """A piece that was sent was taken out, and stands elsewhere too: which of them was sent is not recorded."""
        old, new = self.old.statements(), self.program.statements()
        left = {root(each.piece) for each in new.values() if isinstance(each, Send)}
        if any(id_ in old and id_ not in new and root(what) in left for id_, what in self.past.done):
            self.open_question = "a piece was taken out that the code still has elsewhere"

    def _done_and_ahead(self) -> set[int]:
        """What was done in the lead's present pass of the code, and stands ahead of it now."""
        leaf, old, program = self.leaf, self.old, self.program
        before, after = _order(old), _order(program)
        found: set[int] = set()
        for id_, ran in self.past.executed.items():
            if id_ not in before or id_ not in after:
                continue
            loops = _loops_around(program, id_)
            if loops != _loops_around(old, id_):
                self.open_question = "a step was moved into or out of a loop"
                continue
            if not (before[id_] < before[leaf] and after[id_] > after[leaf]) or leaf in program.path(id_):
                continue
            common = [each for each in loops if each in program.path(leaf)]
            if ran >= (self.states.get(common[-1], {}).get("since", 0) if common else 0):
                found.add(id_)
                if common:
                    self.open_question = "in a loop, a step done was moved ahead: the lead may be in the next pass"
        return found


def _order(program: Program) -> dict[int, int]:
    """The statements in the order of their lines."""
    return {each.id: at for at, each in enumerate(leaves((*program.main, *program.graduation)))}


def _loops_around(program: Program, id_: int) -> list[int]:
    statements = program.statements()
    return [each for each in program.path(id_)[:-1] if isinstance(statements[each], LOOPS)]


def acts(statement: Statement) -> bool:
    """Whether a statement does anything but wait and send the loop's own piece."""
    return any(not isinstance(each, Wait) and getattr(each, "piece", "") != ITEM for each in leaves((statement,)))
