"""The model: a lead's life in the tree itself, with a program counter that an edit moves.

It keeps no journal and explains nothing. It runs the tree as a coroutine, knows which statement the lead stands at,
and after an edit goes on from the same statement (the same `id`) in the new tree. What the table of the design calls
for follows: what was put in behind is passed by, what was taken out behind is no loss, the open wait counts by its new
length, the branch that was taken stands.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.laws.engine import AnyFact, Enrolled, hears
from tests.laws.lives import CATALOGUE, Act, End, Rest, variant_of
from tests.laws.places import ANSWERS, Past, Place, Relocation, State, Token, acts
from tests.laws.records import Records, rooted
from tests.laws.tracks import (
    ITEM,
    Block,
    For,
    Helper,
    If,
    Pieces,
    Program,
    Return,
    Sales,
    Send,
    Statement,
    Step,
    Wait,
    While,
    leaves,
)
from tests.laws.world import root

EXITS = {
    "opted_out": ("lead.opted_out:*", "email.complained:*"),
    "converted": ("deal.won:*",),
    "disqualified": ("lead.disqualified:*",),
    "unreachable": ("email.bounced:*",),
}
OUTCOMES = {"handed_to_sales": "handed to sales"}
UNANSWERED = "sales has not answered within its SLA"


class Exited(Exception):  # noqa: N818 - an exit, no error
    """An exit rule ended the journey."""


class Returned(Exception):  # noqa: N818 - a return, no error
    """The track's code returned."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass
class _Pause:
    """Hands the driver what comes next, and takes what became of it."""

    following: Act | Rest | End

    def __await__(self) -> Generator[Act | Rest | End, Any, Any]:
        return (yield self.following)


@dataclass(frozen=True)
class Leeway:
    """Where more than one reading is right. `redo`: a wait that an edit moved ahead of the lead is waited again.

    `rest`: of a list in another order, all that was not sent comes; else only what stands behind the lead's item now.
    """

    redo: bool = False
    rest: bool = False


class Model:
    """The model of one life."""

    def __init__(self, program: Program, leeway: Leeway = Leeway()) -> None:
        self.program = program
        self.redo = leeway.redo
        self.rest = leeway.rest
        self.open_question = ""
        # What was asked, and what came of it
        self.history: list[tuple[Any, ...]] = []
        self.asking: tuple[Any, ...] = ()
        self.done: list[tuple[int, str]] = []
        self.done_at_edit: list[tuple[int, str]] = []
        self.executed: dict[int, int] = {}
        self.variables: dict[str, Any] = {}
        self.had: set[str] = set()
        # Where the lead stands
        self.places = [Place(), Place()]
        self.resume: list[list[Token] | None] = [None, None]
        self.scope = 0
        self.at_end = ""
        self.graduating = False
        self.graduated = 0
        self.graduated_now = False
        self.graduated_at = 0
        self.offered = False
        self.outcome: tuple[str, int | None] | None = None
        self.coroutine: Any = None
        # A step under way while an edit came
        self.last: Act | Rest | End | None = None
        self.under_way = False
        self.early: tuple[str, int | None] | None = None

    # The mind of a life

    def begin(self, enrolled: Enrolled) -> None:
        """The lead has entered."""
        self.now = enrolled.at
        self.records = Records(enrolled)
        self.had = set(enrolled.seen)

    def hear(self, facts: list[AnyFact], *, decided: bool) -> None:
        """Record facts."""
        for fact in facts:
            self.records.add(fact, decided=decided)

    def decide(self, now: datetime) -> Act | Rest | End:
        """Run on until something is due."""
        self.now = now
        if self.coroutine is None:
            self.coroutine = self._whole()
        following: Act | Rest | End = self.coroutine.send(None)
        self.last = following
        self.records.fresh.clear()
        self.records.fresh_scores.clear()
        self.graduated_now = False
        return following

    def settle(self, act: Act, at: datetime, result: str, value: int | None, until: datetime | None) -> None:
        """What became of a step; the coroutine takes it at the next decision."""
        self.records.seq += 1
        self.outcome = None if until is not None else (result, value)
        if until is None:
            self.records.moved(at)
        if self.under_way:
            self.under_way = False
            self._settle_early(act, until)
        else:
            self.places[self.scope].put_off = until

    def _settle_early(self, act: Act, until: datetime | None) -> None:
        """The code was edited while the step was under way: it is settled, if the code still has it."""
        scope = int(self.graduating)
        tokens, leaf = self.resume[scope], self.places[scope].path[-1][0]
        stands = bool(tokens) and tokens[-1][:2] == ("in", leaf)
        if until is not None:
            self.places[scope].put_off = until if stands else None
        else:
            self.early = self.outcome if stands else None
            self.done.append((leaf, act.what))
        if stands and isinstance(self.program.statements()[leaf], Send):
            self.had.add(act.what)

    def edit(self, program: Program) -> None:
        """Go on from the same statement in other code."""
        self.done_at_edit = list(self.done)
        if self.coroutine is not None:
            self.coroutine.close()
        self.coroutine = None
        self.offered = False
        if self.at_end:
            self.open_question = "the code had come to its end"
        else:
            for scope in (0, 1) if self.graduating else (0,):
                active = scope == int(self.graduating)
                past = Past(self.done, self.executed)
                found = Relocation(self.places[scope], program, past, active=active, graduation=bool(scope))
                self.resume[scope] = found.tokens
                self.open_question = self.open_question or found.open_question
        self.program = program
        for each in program.statements().values():
            if isinstance(each, Step) and each.does == "choose" and each.into:
                self.variables.setdefault(each.into, variant_of(each.what))  # one that the lead is past is its own
        self.scope = 0
        self.under_way = isinstance(self.last, Act)
        self.last = None

    # Running the tree

    async def _whole(self) -> None:
        place = self.places[0]
        try:
            try:
                if not self.at_end:
                    await self._stay(place)
                    await self._block(self.program.main, self._resumed(0))
                outcome = self.at_end or "nurtured"
            except Returned as returned:
                outcome = returned.outcome
            if self.graduating and not self.at_end:
                await self._graduate()
            await self._end(outcome)
        except Exited:
            await _Pause(End("exited"))

    def _resumed(self, scope: int) -> list[Token] | None:
        tokens, self.resume[scope] = self.resume[scope], None
        self.places[scope].path = []
        return tokens

    async def _stay(self, place: Place) -> None:
        if place.staying is not None and not (self.graduating and place is self.places[0]):
            wait, length = place.staying
            await self._wait(wait.days, wait.until, length, note="stayed")
            place.staying = None

    async def _end(self, outcome: str) -> None:
        self.at_end = outcome
        await self._interrupted()
        said = OUTCOMES.get(outcome, outcome)
        self.history.append(("end", said))
        await _Pause(End(said))

    async def _block(self, block: Block, tokens: list[Token] | None) -> None:
        start = 0
        if tokens:
            token = tokens[0]
            if token.how == "end":
                return
            start = next(at for at, each in enumerate(block) if each.id == token.id)
            if token.how == "from":
                tokens = None
        for each in block[start:]:
            await self._statement(each, tokens)
            tokens = None

    async def _statement(self, each: Statement, tokens: list[Token] | None) -> None:
        place = self.places[self.scope]
        if tokens is None and each.id in place.skip_once:
            place.skip_once.discard(each.id)
            if not (self.redo and isinstance(each, Wait | If | Helper)):
                return
            place.skip_once |= {inner.id for inner in leaves((each,)) if isinstance(inner, Send | Step | Sales)}
        state = tokens[0].state if tokens else {}
        inner = tokens[1:] if tokens else None
        place.path.append((each.id, state))
        self.executed[each.id] = self.records.seq
        await self._run(each, state, inner or None)
        place.path.pop()

    async def _run(self, each: Statement, state: State, inner: list[Token] | None) -> None:  # noqa: C901, PLR0912
        match each:
            case Send():
                piece = self._item() if each.piece == ITEM else each.piece
                result, _ = await self._act("send", piece)
                self.had.add(piece)
                if each.guarded and result != "sent":
                    raise Returned("rested")
            case Wait():
                met = await self._wait(each.days, each.until, None, state=state)
                if each.into:
                    self.variables[each.into] = bool(met)
            case Step(does="choose"):
                await self._interrupted()
                self.records.chose(self.now)
                chosen = variant_of(each.what)
                self.history.append(("choose", each.what, chosen))
                if each.into:
                    self.variables[each.into] = chosen
            case Step():
                _, value = await self._act(each.does, each.what)
                if each.into:
                    self.variables[each.into] = value
            case Sales():
                outcome = await self._sales(state)
                if each.then == "return" or (each.then == "unless back" and outcome != "recycled"):
                    raise Returned(outcome)
            case Return():
                raise Returned(each.outcome)
            case Helper():
                await self._block(each.body, inner)
            case If():
                await self._block(self._branch(each, inner), inner)
            case While():
                if inner:
                    await self._block(each.body, inner)
                while self.records.holds(each.condition, self.variables):
                    state["since"] = self.records.seq
                    await self._block(each.body, None)
            case For():
                await self._for(each, state, inner)
            case Pieces():
                if inner:
                    await self._block(each.body, inner)
                while await self._next_piece(each, state):
                    await self._block(each.body, None)

    async def _next_piece(self, each: Pieces, state: State) -> bool:
        stage = each.stage or self.records.scored(self.records.position)[1]
        await self._interrupted()
        self.records.chose(self.now)
        piece = CATALOGUE.pick(stage, traits=self.records.enrolled.traits, seen=self.had)
        self.history.append(("next_piece", stage, piece))
        if piece is not None:
            self.had.add(piece)
            state["item"], state["since"] = piece, self.records.seq
        return piece is not None

    async def _for(self, each: For, state: State, inner: list[Token] | None) -> None:
        ahead = list(each.items)
        done: list[str] = state.setdefault("done", [])
        if not set(done) <= set(each.items) and any(acts(stmt) for stmt in each.body):
            self.open_question = "a pass of a loop was taken out, with steps that other passes have too"
        order = state.get("list", each.items)
        if set(order) == set(each.items) and order != each.items and any(acts(stmt) for stmt in each.body):
            self.open_question = "passes of a loop changed places, with steps that other passes have too"
        if inner:
            ahead = self._items_ahead(each, state, inner)
            if state["item"]:
                state["list"] = each.items
                done.append(state["item"])
                await self._block(each.body, inner)
        state["list"] = each.items
        for item in ahead:
            state["item"], state["since"] = item, self.records.seq
            if item not in done:
                await self._block(each.body, None)
                done.append(item)
            elif self.redo:
                await self._block(tuple(s for s in each.body if not (isinstance(s, Send) and s.piece == ITEM)), None)

    def _items_ahead(self, each: For, state: State, inner: list[Token]) -> list[str]:
        """The items of the list, perhaps edited, behind where the lead is; sets the one that it is at."""
        items, done = list(each.items), state["done"]
        item = state.setdefault("item", items[0])
        sends = [stmt for stmt in each.body if isinstance(stmt, Send) and stmt.piece == ITEM]
        was_sent = any(self.executed.get(stmt.id, -1) >= state.get("since", 0) for stmt in sends)
        if was_sent and item in items:
            reordered = set(items) == set(state.get("list", ())) and self.rest
            return items if reordered else items[items.index(item) + 1 :]
        before = list(state.get("list", ()))
        known = before[: before.index(item)] if item in before else []
        last = next((items.index(earlier) for earlier in reversed(known) if earlier in items), -1)
        ahead = [each for each in items[last + 1 :] if each not in done]
        at_send = inner[-1].id in {stmt.id for stmt in sends}
        if was_sent and not at_send:
            if any(not isinstance(stmt, Send | Wait) for stmt in each.body):
                self.open_question = "the piece of a longer loop's present pass was taken out"
            return ahead
        state["item"] = ahead.pop(0) if ahead else ""
        if at_send:
            self.places[self.scope].put_off = None
            if self.early is not None:
                self.open_question = "the piece of the step under way was taken out of its list"
        elif not ahead:
            self.open_question = "a loop has nothing left for a lead in its wait"
        return ahead

    def _branch(self, each: If, inner: list[Token] | None) -> Block:
        if inner is None:
            return each.body if self.records.holds(each.condition, self.variables) else each.orelse
        if inner[0].how == "end":
            return each.orelse if inner[0].state.get("branch") == "orelse" else each.body
        return each.orelse if any(stmt.id == inner[0].id for stmt in each.orelse) else each.body

    def _item(self) -> str:
        for _, state in reversed(self.places[self.scope].path):
            if "item" in state:
                return str(state["item"])
        self.open_question = "the step that sends a loop's piece was moved into another loop"
        return "none"

    async def _sales(self, state: State) -> str:
        """`hand_to_sales`, by its phases: offer, wait, escalate, wait."""
        phase = state.setdefault("phase", 0)
        before, self.offered = self.offered, True
        answer: str | None = None
        if phase == 0:
            await self._act("hand_off", "sales")
            phase = state["phase"] = 1
        if phase == 1:
            answer = await self._wait(2.0, ANSWERS, None)
            phase = state["phase"] = 4 if answer else 2
        if phase == 2:
            await self._act("alert", UNANSWERED)
            phase = state["phase"] = 3
        if phase == 3:
            answer = await self._wait(5.0, ANSWERS, None)
        self.offered = before
        self.records.fresh_scores.clear()  # scores up to here graduate nobody
        return "handed_to_sales" if answer and answer != "sales.rejected" else "recycled"

    # Asking

    async def _act(self, does: str, what: str) -> tuple[str, int | None]:
        if self.early is not None and self.scope == int(self.graduating):
            early, self.early = self.early, None
            return early
        while True:
            await self._interrupted()
            put_off = self.places[self.scope].put_off
            self.asking = (does, root(what))
            if put_off is not None and self.now < put_off:
                await self._rest(put_off, (), "deferred")
                continue
            self.outcome = None
            await _Pause(Act(does, what))
            if self.outcome is not None:
                self.history.append((does, root(what), self.records.position[1], *self.outcome))
                self.done.append((self.places[self.scope].path[-1][0], what))
                return self.outcome

    async def _wait(
        self,
        days: float | None,
        until: tuple[str, ...],
        length: Any,
        *,
        state: State | None = None,
        note: str = "",
    ) -> str | None:
        """The name of the behaviour that ended the wait; None if time or a person did."""
        if days is not None and length is None:
            read_at = (state if state is not None else {}).setdefault("read_at", self.records.position)
            length = self.records.cadence(read_at) if days == -1 else timedelta(days=days)
        if state is not None:
            state["length"] = length
        while True:
            await self._interrupted()
            records = self.records
            start = records.progress[1]
            end = start + length + records.stood_still() if length is not None else None
            found = records.over(end, until, self.now)
            if found is not None:
                by, name = found
                self.history.append(("wait", days, tuple(map(rooted, until)), self.now, by, name, note))
                self.records.moved(self.now)
                return name if by == "behaviour" else None
            self.asking = ("wait", days, tuple(map(rooted, until)), start)
            await self._rest(end, until, "wait")

    async def _interrupted(self) -> None:
        """Exit, graduate or stand still first."""
        place = self.places[self.scope]
        if place.staying is None:
            place.asked_in = self.program
        while True:
            self._exit_or_pass()
            if self.graduating:
                if self.scope == 0 and not self.at_end:
                    await self._graduate()
                    continue
            elif self._graduates():
                self._begin_graduation()
                await self._graduate()
                continue
            if not self.records.paused:
                return
            await self._rest(None, (), "paused")

    async def _rest(self, until: datetime | None, listens: tuple[str, ...], why: str) -> None:
        patterns = tuple(_listened(each) for each in listens)
        score = None if why == "paused" else self._armed_at()
        await _Pause(Rest(until, patterns + self._exits(), score, why))

    # Exits and graduation

    def _exits(self) -> tuple[str, ...]:
        return tuple(pattern for name in self.program.exits for pattern in EXITS[name])

    def _exit_or_pass(self) -> None:
        if any(hears(self._exits(), fact.name, fact.subject) for fact in self.records.fresh):
            raise Exited

    def _armed_at(self) -> int | None:
        threshold = self.program.graduates_at
        if threshold is None or self.graduating or self.offered or self.graduated_now:
            return None
        below = any(score < threshold for seq, score, _ in self.records.scores if seq > self.graduated_at)
        return threshold if not self.graduated or below else None

    def _graduates(self) -> bool:
        threshold = self._armed_at()
        return threshold is not None and any(score >= threshold for score in self.records.fresh_scores)

    def _begin_graduation(self) -> None:
        self.graduating = True
        self.graduated += 1
        self.graduated_now = True
        self.places[1] = Place()
        self.resume[1] = None
        self.history.append(("graduated", self.now))
        self.records.moved(self.now)
        self.graduated_at = self.records.seq

    async def _graduate(self) -> None:
        self.scope = 1
        outcome = self.program.back
        try:
            await self._stay(self.places[1])
            await self._block(self.program.graduation, self._resumed(1))
        except Returned as returned:
            outcome = returned.outcome
        if outcome != "recycled":
            await self._end(outcome)
        self.scope = 0
        self.graduating = False


def _listened(pattern: str) -> str:
    """The world tells of the piece as it was sent: listen for any name with this root."""
    name, _, glob = pattern.partition(":")
    return pattern if name != "email.clicked" or glob == "*" else f"{name}:{root(glob)}*"
