"""Edits of a track, as an engineer makes them: each changes a tree, and keeps the `id` of what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from random import Random

from tests.laws.author import Author
from tests.laws.tracks import (
    GRADUATION,
    ITEM,
    SHELF,
    Address,
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
    inner_blocks,
    is_sound,
    leaves,
)
from tests.laws.world import RENAMED

Change = Callable[[Program], Program | None]


@dataclass(frozen=True)
class Edit:
    """One edit: its kind, in words, and what it makes of a program; None where it does not apply."""

    kind: str
    says: str
    change: Change

    def of(self, program: Program) -> Program | None:
        """The program after the edit, if it applies, makes a difference and leaves a sound track."""
        try:
            changed = self.change(program)
        except (KeyError, ValueError):  # what it is about is not there
            return None
        return changed if changed is not None and changed != program and is_sound(changed) else None


# Putting in


def insert(kind: str, new: Block, address: Address, before: int | None) -> Edit:
    """Put statements in before a statement of a block, or at its end."""

    def change(program: Program) -> Program:
        block = program.blocks()[address]
        at = len(block) if before is None else [each.id for each in block].index(before)
        return program.with_blocks({address: (*block[:at], *new, *block[at:])})

    said = ", ".join(type(each).__name__.lower() for each in new)
    return Edit(kind, f"{kind}: {said} {'at the end' if before is None else f'before {before}'} of {address}", change)


def _new_statements(kind: str, author: Author) -> Block:  # noqa: C901, PLR0911 - one case a kind
    chance = author.chance
    match kind:
        case "insert a send":
            return (author.plain_send(),)
        case "insert a send and a wait":
            return (author.plain_send(), replace(author.wait(), days=chance.choice((2, 5, 9))))
        case "insert a wait":
            return (author.wait(),)
        case "insert another step":
            return (author.step(),)
        case "insert a guarded send":
            return (replace(author.send(), guarded=True),)
        case "insert a helper":
            return (Helper(author.id(), (author.plain_send(), author.wait(), author.plain_send())),)
        case "insert a hand-off":
            return (Sales(author.id(), chance.choice(("ignore", "unless back"))),)
        case "insert a return":
            return (If(author.id(), author.condition(), (Return(author.id(), "rested"),)),)
        case "insert a branch":
            return (If(author.id(), author.condition(), (author.plain_send(), author.wait())),)
        case "insert a used wait":
            wait = author.wait()
            wait = replace(wait, until=(author.pattern(),), into=f"met_{wait.id}")
            return (wait, If(author.id(), Condition("met", wait.into), (author.plain_send(),)))
        case _:
            return (replace(author.plain_send(), catch_up=True),)


# Taking out, changing places


def delete(kind: str, id_: int) -> Edit:
    """Take a statement out, with what is inside it."""

    def change(program: Program) -> Program:
        address = program.parents()[id_]
        return program.with_blocks({address: tuple(each for each in program.blocks()[address] if each.id != id_)})

    return Edit(kind, f"{kind}: {id_}", change)


def swap(first: int, second: int) -> Edit:
    """Let two neighbours change places."""

    def change(program: Program) -> Program | None:
        address = program.parents()[first]
        block = list(program.blocks()[address])
        at = [each.id for each in block].index(first)
        if at + 1 >= len(block) or block[at + 1].id != second:
            return None
        block[at], block[at + 1] = block[at + 1], block[at]
        return program.with_blocks({address: tuple(block)})

    return Edit("swap neighbours", f"swap {first} and {second}", change)


def move(kind: str, id_: int, address: Address, before: int | None) -> Edit:
    """Move a statement to another place."""

    def change(program: Program) -> Program | None:
        if address[0] in {each.id for each in leaves((program.statements()[id_],))}:
            return None
        moved = program.statements()[id_]
        without = delete("", id_).change(program)
        return insert("", (moved,), address, before).change(without) if without is not None else None

    return Edit(kind, f"{kind}: {id_} to {address} before {before}", change)


def wrap(kind: str, ids: tuple[int, ...], around: Callable[[Block], Statement]) -> Edit:
    """Put something around neighbours."""

    def change(program: Program) -> Program | None:
        address = program.parents()[ids[0]]
        block = program.blocks()[address]
        at = [each.id for each in block].index(ids[0])
        inside = block[at : at + len(ids)]
        if tuple(each.id for each in inside) != ids:
            return None
        return program.with_blocks({address: (*block[:at], around(inside), *block[at + len(ids) :])})

    return Edit(kind, f"{kind}: {ids}", change)


def unwrap(id_: int) -> Edit:
    """Put a branch's body in its place."""

    def change(program: Program) -> Program | None:
        branch = program.statements()[id_]
        if not isinstance(branch, If) or branch.orelse:
            return None
        address = program.parents()[id_]
        block = program.blocks()[address]
        at = [each.id for each in block].index(id_)
        return program.with_blocks({address: (*block[:at], *branch.body, *block[at + 1 :])})

    return Edit("move out of a branch", f"unwrap {id_}", change)


# Changing one statement


def alter(kind: str, id_: int, says: str, make: Callable[[Statement], Statement | None]) -> Edit:
    """Change one statement in its place."""

    def change(program: Program) -> Program | None:
        made = make(program.statements()[id_])
        return program.with_statement(made) if made is not None else None

    return Edit(kind, f"{kind}: {id_} {says}", change)


def rename(id_: int) -> Edit:  # noqa: C901 - what names a piece
    """Rename a piece, with `was=`; what listens for it is renamed too."""

    def change(program: Program) -> Program | None:
        send = program.statements()[id_]
        if not isinstance(send, Send) or send.piece == ITEM or send.piece in {p for ps in SHELF.values() for p in ps}:
            return None
        old, new = send.piece, send.piece + RENAMED
        if sum(isinstance(each, Send) and each.piece == old for each in program.statements().values()) > 1:
            return None
        if any(isinstance(each, For) and old in each.items for each in program.statements().values()):
            return None

        def patterns(until: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(f"{each}{RENAMED}" if each == f"email.clicked:{old}" else each for each in until)

        made = program
        for each in program.statements().values():
            if each.id == id_:
                made = made.with_statement(replace(send, piece=new, was=(*send.was, old)))
            elif isinstance(each, Wait) and patterns(each.until) != each.until:
                made = made.with_statement(replace(each, until=patterns(each.until)))
            elif isinstance(each, If | While):
                of = each.condition.of
                if patterns((of,)) != (of,):
                    now = made.statements()[each.id]
                    assert isinstance(now, If | While)
                    condition = replace(now.condition, of=patterns((of,))[0])
                    made = made.with_statement(replace(now, condition=condition))
        return made

    return Edit("rename", f"rename the piece of {id_}", change)


def tidy(id_: int) -> Edit:
    """Drop `was=`: everybody is past the rename, it is thought."""

    def make(each: Statement) -> Statement | None:
        return replace(each, was=()) if isinstance(each, Send) and each.was else None

    return alter("tidy was= away", id_, "", make)


def while_instead(id_: int) -> Edit:
    """An `if` becomes a `while`."""

    def make(each: Statement) -> Statement | None:
        if not isinstance(each, If) or each.orelse or each.condition.reads in {"trait", "met", "value", "variant"}:
            return None  # it would not make a loop, or an endless one
        return While(each.id, each.condition, each.body)

    return alter("if to while", id_, "", make)


def next_piece_instead(id_: int) -> Edit:
    """A hand-written list is replaced by `next_piece`."""

    def make(each: Statement) -> Statement | None:
        stage = next((stage for stage, ids in SHELF.items() if isinstance(each, For) and each.items[0] in ids), None)
        return Pieces(each.id, stage, each.body) if stage and isinstance(each, For) else None

    return alter("list to next_piece", id_, "", make)


def rules(kind: str, says: str, **changes: object) -> Edit:
    """The track's rules change."""
    return Edit(kind, f"{kind}: {says}", lambda program: replace(program, **changes))  # type: ignore[arg-type]


# By chance

INSERTS = (
    "insert a send",
    "insert a send and a wait",
    "insert a wait",
    "insert another step",
    "insert a guarded send",
    "insert a helper",
    "insert a hand-off",
    "insert a return",
    "insert a branch",
    "insert a used wait",
)
OTHERS = (
    "delete a send",
    "delete a wait",
    "delete another step",
    "delete a block",
    "swap neighbours",
    "move a step",
    "move into a branch",
    "move out of a branch",
    "wrap in a helper",
    "if to while",
    "rename",
    "wait's length",
    "wait's until",
    "condition",
    "list reordered",
    "list extended",
    "list shortened",
    "list to next_piece",
    "alert reworded",
    "exits",
    "graduation's score",
    "graduation's outcome",
)
KINDS = (*INSERTS, *OTHERS)


class Engineer:
    """Makes edits by chance."""

    def __init__(self, chance: Random, program: Program, number: int = 0) -> None:
        self.chance = chance
        self.program = program
        self.author = Author(chance, program.fresh + 100 * number, 100 * (number + 1))
        self.author.pieces = sorted(
            {each.piece for each in program.statements().values() if isinstance(each, Send) and each.piece != ITEM}
        )

    def edit(self, kind: str) -> tuple[Edit, Program] | None:
        """An edit of this kind, and the program after it; None if none was found that applies."""
        for _ in range(6):
            made = self._edit(kind)
            changed = made.of(self.program) if made is not None else None
            if made is not None and changed is not None:
                return made, changed
        return None

    def any_edit(self) -> tuple[Edit, Program] | None:
        """An edit of any kind."""
        return self.edit(self.chance.choice((*KINDS, "tidy was= away", "tidy was= away")))

    def _edit(self, kind: str) -> Edit | None:  # noqa: C901, PLR0911, PLR0912 - one case a kind
        chance = self.chance
        if kind in INSERTS or kind == "insert with catch_up":
            return insert(kind, _new_statements(kind, self.author), *self._anywhere())
        match kind:
            case "delete a send":
                return self._about(kind, Send, lambda each: delete(kind, each.id))
            case "delete a wait":
                return self._about(kind, Wait, lambda each: delete(kind, each.id))
            case "delete another step":
                return self._about(kind, Step | Sales | Return, lambda each: delete(kind, each.id))
            case "delete a block":
                return self._about(kind, If | While | For | Pieces | Helper, lambda each: delete(kind, each.id))
            case "swap neighbours":
                block = chance.choice([b for b in self.program.blocks().values() if len(b) > 1] or [()])
                if not block:
                    return None
                at = chance.randrange(len(block) - 1)
                return swap(block[at].id, block[at + 1].id)
            case "move a step":
                return self._about(kind, Send | Wait | Step, lambda each: move(kind, each.id, *self._anywhere()))
            case "move into a branch":
                return self._wrapped(kind, lambda inside, id_: If(id_, self.author.condition(), inside))
            case "move out of a branch":
                return self._about(kind, If, lambda each: unwrap(each.id))
            case "wrap in a helper":
                return self._wrapped(kind, lambda inside, id_: Helper(id_, inside))
            case "if to while":
                return self._about(kind, If, lambda each: while_instead(each.id))
            case "rename":
                return self._about(kind, Send, lambda each: rename(each.id))
            case "tidy was= away":
                return self._about(kind, Send, lambda each: tidy(each.id))
            case "wait's length":
                days = chance.choice((0.5, 1, 4, 6, 12, 20, 45, -1))
                return self._about(
                    kind, Wait, lambda each: alter(kind, each.id, f"{days}", lambda w: replace(w, days=days))
                )
            case "wait's until":
                until = (self.author.pattern(),) if chance.random() < 0.8 else ()
                return self._about(
                    kind, Wait, lambda each: alter(kind, each.id, f"{until}", lambda w: self._until(w, until))
                )
            case "condition":
                return self._about(kind, If | While, self._condition)
            case "alert reworded":
                return self._about(
                    kind,
                    Step,
                    lambda each: alter(
                        kind, each.id, "", lambda s: replace(s, what=s.what + " now") if s.does == "alert" else None
                    ),
                )
            case "list reordered" | "list extended" | "list shortened":
                return self._about(kind, For, lambda each: self._list(kind, each))
            case "list to next_piece":
                return self._about(kind, For, lambda each: next_piece_instead(each.id))
            case "exits":
                exits = chance.choice(((), ("opted_out",), ("opted_out", "converted"), ("converted",)))
                return rules(kind, str(exits), exits=exits)
            case "graduation's score":
                score = chance.choice((None, 45, 60, 75, 90))
                return rules(kind, str(score), graduates_at=score)
            case _:
                back = chance.choice(("recycled", "handed_to_sales", "rested"))
                return rules(kind, back, back=back)

    def _anywhere(self) -> tuple[Address, int | None]:
        blocks = self.program.blocks()
        addresses = [each for each in blocks if each[0] != GRADUATION or self.chance.random() < 0.3]
        address = self.chance.choice(addresses)
        return address, self.chance.choice([*(each.id for each in blocks[address]), None])

    def _about(self, kind: str, kinds: type | object, make: Callable[..., Edit | None]) -> Edit | None:
        found = [each for each in self.program.statements().values() if isinstance(each, kinds)]  # type: ignore[arg-type]
        return make(self.chance.choice(found)) if found else None

    def _wrapped(self, kind: str, around: Callable[[Block, int], Statement]) -> Edit | None:
        block = self.chance.choice(list(self.program.blocks().values()))
        if not block:
            return None
        at = self.chance.randrange(len(block))
        ids = tuple(each.id for each in block[at : at + self.chance.choice((1, 1, 2, 3))])
        new = self.author.id()
        condition = self.author.condition()

        def made(inside: Block) -> Statement:
            wrapped = around(inside, new)
            return replace(wrapped, condition=condition) if isinstance(wrapped, If) else wrapped

        return wrap(kind, ids, made)

    def _until(self, wait: Statement, until: tuple[str, ...]) -> Statement | None:
        assert isinstance(wait, Wait)
        if not until and (wait.into or wait.days is None):
            return None
        return replace(wait, until=until)

    def _condition(self, each: If | While) -> Edit:
        new = self.author.condition() if self.chance.random() < 0.5 else each.condition.negated
        if each.condition.reads == "score" and self.chance.random() < 0.6:
            new = replace(each.condition, than=self.chance.choice((10, 20, 30, 50, 70)))
        return alter("condition", each.id, f"{new}", lambda s: replace(s, condition=new))  # type: ignore[arg-type,call-arg]

    def _list(self, kind: str, each: For) -> Edit:
        items = list(each.items)
        if kind == "list reordered":
            self.chance.shuffle(items)
        elif kind == "list extended":
            items.insert(self.chance.randint(0, len(items)), f"s{self.author.id()}z")
        else:
            items.pop(self.chance.randrange(len(items)))
        return alter(kind, each.id, f"{items}", lambda s: replace(s, items=tuple(items)))  # type: ignore[call-arg]


def likely_origins(  # noqa: C901 - one branch a kind of edit
    program: Program, old: Program, *, pairs: bool = False
) -> list[Program]:
    """Programs that one edit makes into this one, with the statements of an older one to draw on.

    With `pairs`, also those that two steps put in make into it.
    """
    found: list[Program | None] = []
    candidates = list(old.statements().values())
    waits = {(each.days, each.until) for each in candidates if isinstance(each, Wait)}
    if pairs:
        found += [
            without
            for first, second in combinations(program.statements(), 2)
            if (once := delete("", first).of(program)) and (without := delete("", second).of(once))
        ]
        found += [
            altered
            for gone in program.statements()
            if (once := delete("", gone).of(program))
            for wait in once.statements().values()
            if isinstance(wait, Wait)
            for days, until in waits
            if (altered := once.with_statement(replace(wait, days=days, until=until)))
        ]
    fresh = max(program.fresh, old.fresh) + 1000
    for address, block in program.blocks().items():
        for at, each in enumerate(block):
            found.append(delete("", each.id).of(program))
            for size in (2, 3):
                if at + size <= len(block):
                    gone = {s.id for s in block[at : at + size]}
                    found.append(program.with_blocks({address: tuple(s for s in block if s.id not in gone)}))
            if at + 1 < len(block):
                found.append(swap(each.id, block[at + 1].id).of(program))
            if isinstance(each, Wait):
                for days, until in waits:
                    found.append(
                        alter("", each.id, "", lambda w, d=days, u=until: replace(w, days=d, until=u)).of(program)
                    )
            if isinstance(each, Pieces):
                lists = [ids[:length] for ids in SHELF.values() for length in range(1, len(ids) + 1)]
                found += [program.with_statement(For(each.id, items, each.body)) for items in lists]
            if isinstance(each, If | While):
                negated = alter("", each.id, "", lambda s: replace(s, condition=s.condition.negated)).of(program)
                found += [negated, unwrap(each.id).of(program)]
        for before in [*(each.id for each in block), None]:
            for number, each in enumerate(candidates):
                put = _with_new_ids(each, fresh + 1000 * number)
                found.append(insert("", (put,), address, before).of(program))
    return [each for each in found if each is not None and is_sound(each)]


def _with_new_ids(statement: Statement, first: int) -> Statement:
    inner = {
        name: tuple(_with_new_ids(each, first * 10 + at) for at, each in enumerate(block, 1))
        for name, block in inner_blocks(statement)
    }
    return replace(statement, id=first, **inner)  # type: ignore[arg-type]
