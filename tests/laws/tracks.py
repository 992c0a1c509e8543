"""Tracks as small syntax trees. Every statement has an `id` that an edit keeps: so the model knows where a lead stands.

`tests.laws.source` makes them the Python that an author would have written, `tests.laws.author` makes them up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

MAIN, GRADUATION = 0, -1
ITEM = "@"
"""The piece of a send that sends what the loop around it has at hand."""

Address = tuple[int, str]
"""A block: the id of the statement around it (or MAIN, GRADUATION), and which of its blocks."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What an `if` or `while` asks. `of` is a matcher's pattern, a trait or a variable; `than` what it is held to."""

    reads: str
    of: str = ""
    op: str = ""
    than: int | str = 0

    @property
    def variable(self) -> str:
        """The variable it reads, if it reads one."""
        return self.of if self.reads in {"met", "value", "variant"} else ""

    @property
    def negated(self) -> Condition:
        """The opposite."""
        if self.reads in {"has", "met"}:
            return replace(self, op="" if self.op == "not" else "not")
        opposite = {"<": ">=", ">=": "<", "==": "!=", "!=": "=="}
        return replace(self, op=opposite[self.op])


@dataclass(frozen=True, slots=True)
class Send:
    """`await lead.send(piece)`; guarded, the track returns if the send is refused."""

    id: int
    piece: str
    was: tuple[str, ...] = ()
    guarded: bool = False
    catch_up: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """`await lead.wait(...)`. `days` -1 is the cadence, None no limit; `into` names the variable for the result."""

    id: int
    days: float | None
    until: tuple[str, ...] = ()
    into: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Any other step: `alert`, `enrol`, `do` or `choose`, with its text, track, activity or experiment."""

    id: int
    does: str
    what: str
    into: str = ""


@dataclass(frozen=True, slots=True)
class Sales:
    """`hand_to_sales`; its outcome is ignored, returned, or returned unless it is given back (`unless back`)."""

    id: int
    then: str = "ignore"


@dataclass(frozen=True, slots=True)
class Return:
    """`return outcome`."""

    id: int
    outcome: str


@dataclass(frozen=True, slots=True)
class If:
    """`if condition: body else: orelse`."""

    id: int
    condition: Condition
    body: Block
    orelse: Block = ()


@dataclass(frozen=True, slots=True)
class While:
    """`while condition: body`; the body waits."""

    id: int
    condition: Condition
    body: Block


@dataclass(frozen=True, slots=True)
class For:
    """`for piece in (...): body`."""

    id: int
    items: tuple[str, ...]
    body: Block


@dataclass(frozen=True, slots=True)
class Pieces:
    """`while piece := await lead.next_piece(stage): body`; stage "" is the lead's."""

    id: int
    stage: str
    body: Block


@dataclass(frozen=True, slots=True)
class Helper:
    """A call of an async function with this body."""

    id: int
    body: Block


Statement = Send | Wait | Step | Sales | Return | If | While | For | Pieces | Helper
Block = tuple[Statement, ...]
Leaf = Send | Wait | Step
LOOPS = (While, For, Pieces)


@dataclass(frozen=True, slots=True)
class Program:
    """A track: its function, its graduation and its rules."""

    main: Block
    graduation: Block
    back: str = "recycled"
    graduates_at: int | None = 75
    exits: tuple[str, ...] = ("opted_out",)

    def blocks(self) -> dict[Address, Block]:
        """Every block by address."""
        found: dict[Address, Block] = {}
        stack: list[tuple[Address, Block]] = [((MAIN, "body"), self.main), ((GRADUATION, "body"), self.graduation)]
        while stack:
            address, block = stack.pop()
            found[address] = block
            stack += [((each.id, name), inner) for each in block for name, inner in inner_blocks(each)]
        return found

    def statements(self) -> dict[int, Statement]:
        """Every statement by id."""
        return {each.id: each for block in self.blocks().values() for each in block}

    def parents(self) -> dict[int, Address]:
        """In which block each statement is."""
        return {each.id: address for address, block in self.blocks().items() for each in block}

    def path(self, id_: int) -> list[int]:
        """The ids of the statements around a statement, outermost first, and its own; [] if it is not there."""
        parents = self.parents()
        found: list[int] = []
        while id_ in parents:
            found.insert(0, id_)
            id_ = parents[id_][0]
        return found

    def with_blocks(self, changed: Mapping[Address, Block]) -> Program:
        """The program with other blocks at these addresses."""

        def built(address: Address, block: Block) -> Block:
            return tuple(rebuilt(each) for each in changed.get(address, block))

        def rebuilt(each: Statement) -> Statement:
            inner = {name: built((each.id, name), block) for name, block in inner_blocks(each)}
            return replace(each, **inner) if inner else each  # type: ignore[arg-type]

        return replace(
            self,
            main=built((MAIN, "body"), self.main),
            graduation=built((GRADUATION, "body"), self.graduation),
        )

    def with_statement(self, new: Statement) -> Program:
        """The program with another statement under the same id."""
        address = self.parents()[new.id]
        block = self.blocks()[address]
        return self.with_blocks({address: tuple(new if each.id == new.id else each for each in block)})

    @property
    def fresh(self) -> int:
        """An id that no statement has."""
        return max(self.statements(), default=0) + 1


def inner_blocks(statement: Statement) -> tuple[tuple[str, Block], ...]:
    """The blocks of a statement, by name."""
    match statement:
        case If():
            return (("body", statement.body), ("orelse", statement.orelse))
        case While() | For() | Pieces() | Helper():
            return (("body", statement.body),)
        case _:
            return ()


def leaves(block: Block) -> Iterator[Statement]:
    """The statements of a block, with those inside them."""
    for each in block:
        yield each
        for _, inner in inner_blocks(each):
            yield from leaves(inner)


# What makes a program one that an author could have written


def returns(each: Statement) -> bool:
    """Whether nothing after a statement runs."""
    return isinstance(each, Return) or (isinstance(each, Sales) and each.then == "return")


def is_sound(program: Program) -> bool:
    """Whether variables are assigned before they are read, loops wait, and helpers stand on their own."""
    ids = [each.id for block in program.blocks().values() for each in block]
    return (
        len(ids) == len(set(ids))
        and _sound(program.main, set(), looped=False, helped=False)
        and _sound(program.graduation, set(), looped=False, helped=False)
    )


def _sound(block: Block, known: set[str], *, looped: bool, helped: bool) -> bool:  # noqa: C901, PLR0911, PLR0912
    known = set(known)
    if any(map(returns, block[:-1])):
        return False  # what follows would never run
    for each in block:
        match each:
            case Send():
                if (each.piece == ITEM and not looped) or (helped and each.guarded):
                    return False
            case Return():
                if helped:
                    return False
            case Sales():
                if helped and each.then != "ignore":
                    return False
            case If():
                if each.condition.variable and each.condition.variable not in known:
                    return False
                if not each.body:
                    return False
                if not all(_sound(b, known, looped=looped, helped=helped) for b in (each.body, each.orelse)):
                    return False
            case While():
                if each.condition.variable and each.condition.variable not in known:
                    return False
                if not _waits(each.body) or not _sound(each.body, known, looped=looped, helped=helped):
                    return False
            case For():
                if not each.items or not _sound(each.body, known, looped=True, helped=helped):
                    return False
            case Pieces():
                sends = any(isinstance(stmt, Send) and stmt.piece == ITEM for stmt in each.body)
                if not sends or not _sound(each.body, known, looped=True, helped=helped):
                    return False
            case Helper():
                if not each.body or not _sound(each.body, set(), looped=looped, helped=True):
                    return False
            case _:
                pass
        if isinstance(each, Wait | Step) and each.into:
            known.add(each.into)
    return True


def _waits(block: Block) -> bool:
    return any(isinstance(each, Wait) and each.days not in {None, 0} for each in block)


SHELF = {"awareness": ("p1", "p2", "p3", "p4"), "consideration": ("q1", "q2", "q3")}
"""The pieces of the catalogue, by stage."""

STAGES = ("awareness", "consideration")
