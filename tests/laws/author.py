"""Tracks made up by chance, and statements to put into them."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from random import Random

from tests.laws.tracks import (
    ITEM,
    LOOPS,
    SHELF,
    STAGES,
    Block,
    Condition,
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
    is_sound,
    leaves,
)

PATTERNS = ("email.clicked:*", "page.viewed:/pricing*", "page.viewed:*", "email.replied:*")


class Author:
    """Writes tracks, and statements to put into them, by chance."""

    def __init__(self, chance: Random, first: int = 1, names: int = 0) -> None:
        self.chance = chance
        self._ids = count(first)
        self._names = count(names)
        self.pieces: list[str] = []

    def id(self) -> int:
        """The next id."""
        return next(self._ids)

    def piece(self) -> str:
        """A new piece's name; now and then one that is in use."""
        if self.pieces and self.chance.random() < 0.06:
            return self.chance.choice(self.pieces)
        name = f"s{next(self._names)}"
        self.pieces.append(name)
        return name

    def program(self, size: int) -> Program:
        """A track of about this many statements."""
        while True:
            main = self.block(size, (), depth=0)
            graduation = self.graduation()
            made = Program(
                main,
                graduation,
                self.chance.choice(("recycled", "recycled", "handed_to_sales")),
                self.chance.choice((None, 75, 75, 60)),
                self.chance.choice((("opted_out",), ("opted_out", "converted"))),
            )
            looped = [
                each for loop in made.statements().values() if isinstance(loop, LOOPS) for each in leaves(loop.body)
            ]
            if is_sound(made) and not any(isinstance(each, Step) and each.does == "choose" for each in looped):
                return made

    def graduation(self) -> Block:
        """What a graduation does."""
        if self.chance.random() < 0.35:
            return (Sales(self.id(), "return"),)
        steps = [self.send(), self.wait(), self.send(), self.wait()]
        return tuple(steps[: self.chance.choice((2, 2, 3, 4))])

    def block(self, size: int, known: tuple[str, ...], *, depth: int, item: bool = False) -> Block:
        """Statements in a row; `known` are the variables that may be read."""
        made: list[Statement] = []
        while size > 0:
            each = self.statement(size, known, depth=depth, item=item)
            made.append(each)
            size -= sum(1 for _ in leaves((each,)))
            if isinstance(each, Wait | Step) and each.into:
                known = (*known, each.into)
                made.append(
                    If(self.id(), self.about(each), self.block(self.chance.randint(1, 2), known, depth=depth + 1))
                )
                size -= 2
            elif isinstance(each, Send) and self.chance.random() < 0.6:
                made.append(self.wait())
                size -= 1
        return tuple(made)

    def statement(  # noqa: PLR0911 - one case a kind of statement
        self, size: int, known: tuple[str, ...], *, depth: int, item: bool = False
    ) -> Statement:
        """One statement."""
        rolled = self.chance.random()
        if depth < 2 and size >= 3:
            if rolled < 0.17:
                return self.branch(known, depth)
            if rolled < 0.30:
                return self.loop(known, depth)
            if rolled < 0.34:
                return Helper(self.id(), (self.send(), self.wait(), *((self.send(),) if rolled < 0.32 else ())))
            if rolled < 0.38:
                return Sales(self.id(), self.chance.choice(("ignore", "unless back")))
        if rolled < 0.62:
            return replace(self.send(), piece=ITEM) if item and rolled < 0.5 else self.send()
        if rolled < 0.86:
            return self.wait(used=True)
        return self.step(used=True)

    def send(self) -> Send:
        """A send of a new piece."""
        return Send(self.id(), self.piece(), guarded=self.chance.random() < 0.12)

    def plain_send(self) -> Send:
        """A send without a guard."""
        return replace(self.send(), guarded=False)

    def wait(self, *, used: bool = False) -> Wait:
        """A wait; one whose result is used if it may be."""
        id_, chance = self.id(), self.chance
        days: float | None = chance.choice((1, 2, 3, 5, 7, 7, 10, 14, 30, -1))
        until = (self.pattern(),) if chance.random() < 0.45 else ()
        if until and chance.random() < 0.08:
            days = None
        into = f"met_{id_}" if used and until and chance.random() < 0.5 else ""
        return Wait(id_, days, until, into)

    def pattern(self) -> str:
        """What a wait may listen for."""
        if self.pieces and self.chance.random() < 0.4:
            return f"email.clicked:{self.chance.choice(self.pieces)}"
        return self.chance.choice(PATTERNS)

    def step(self, *, used: bool = False) -> Step:
        """An alert, an enrolment, an activity or an experiment."""
        id_, chance = self.id(), self.chance
        does = chance.choice(("alert", "alert", "enrol", "do", "choose"))
        match does:
            case "alert":
                return Step(id_, does, f"alert {id_}")
            case "enrol":
                return Step(id_, does, f"track-{id_}")
            case "do":
                return Step(id_, does, f"look-up-{id_}", f"found_{id_}" if used else "")
            case _:
                return Step(id_, does, f"experiment-{id_}", f"variant_{id_}" if used else "")

    def about(self, each: Wait | Step) -> Condition:
        """A condition on the result of a step."""
        if isinstance(each, Wait):
            return Condition("met", each.into, self.chance.choice(("", "", "not")))
        if each.does == "do":
            return Condition("value", each.into, self.chance.choice(("==", "!=")), self.chance.randint(0, 2))
        return Condition("variant", each.into, "==", self.chance.choice(("control", "treatment")))

    def condition(self, known: tuple[str, ...] = ()) -> Condition:
        """A condition on what a track reads."""
        chance = self.chance
        met = [name for name in known if name.startswith("met_")]
        rolled = chance.random()
        if met and rolled < 0.2:
            return Condition("met", chance.choice(met), chance.choice(("", "not")))
        if rolled < 0.5:
            return Condition("score", "", chance.choice(("<", ">=")), chance.choice((15, 25, 40, 55)))
        if rolled < 0.62:
            return Condition("stage", "", chance.choice(("==", "!=")), chance.choice(STAGES))
        if rolled < 0.72:
            return Condition("trait", "topic", chance.choice(("==", "!=")), chance.choice(("crm", "data")))
        if rolled < 0.88:
            return Condition("has", self.pattern(), chance.choice(("", "not")), chance.choice((0, 10, 30)))
        return Condition("times", self.pattern(), chance.choice(("<", ">=")), chance.randint(1, 3))

    def branch(self, known: tuple[str, ...], depth: int) -> Statement:
        """An `if`, or an early return."""
        id_, chance = self.id(), self.chance
        if chance.random() < 0.2:
            return If(id_, self.condition(known), (Return(self.id(), chance.choice(("rested", "sunset"))),))
        body = self.block(chance.randint(1, 3), known, depth=depth + 1)
        orelse = self.block(chance.randint(1, 2), known, depth=depth + 1) if chance.random() < 0.4 else ()
        return If(id_, self.condition(known), body, orelse)

    def loop(self, known: tuple[str, ...], depth: int) -> Statement:
        """A loop over pieces in a list, over the catalogue, or while something holds."""
        id_, chance = self.id(), self.chance
        rolled = chance.random()
        if rolled < 0.4:
            items = self.some_items()
            return For(id_, items, self.loop_body(known, depth))
        if rolled < 0.8:
            return Pieces(id_, chance.choice(("", "awareness", "consideration")), self.loop_body(known, depth))
        condition = self.condition()
        while condition.reads == "trait":  # it would never end
            condition = self.condition()
        return While(id_, condition, (self.plain_send(), Wait(self.id(), chance.choice((7, 14, 30)))))

    def loop_body(self, known: tuple[str, ...], depth: int) -> Block:
        """What a loop over pieces does with each."""
        send, wait, chance = Send(self.id(), ITEM), self.wait(), self.chance
        if wait.days is None:
            wait = replace(wait, days=7)
        body: list[Statement] = [send, wait] if chance.random() < 0.6 else [wait, send]
        if chance.random() < 0.25:
            where = chance.randint(0, 2)
            body.insert(where, If(self.id(), self.condition(known), self.block(1, known, depth=depth + 2)))
        if chance.random() < 0.15:
            body.append(self.step())
        return tuple(body)

    def some_items(self) -> tuple[str, ...]:
        """The pieces of a literal list."""
        if self.chance.random() < 0.3:
            return self.chance.choice(tuple(SHELF.values()))[: self.chance.randint(2, 4)]
        return tuple(f"s{next(self._names)}" for _ in range(self.chance.randint(2, 4)))
