"""Which local variables the code may still read from where it stands; the others make no difference."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType
from typing import Any

_ENDS = {"RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE"}
_ALWAYS_JUMPS = {"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP", "JUMP_NO_INTERRUPT"}


def live_names(code: CodeType, at: int) -> frozenset[str]:
    """The names of the locals that may be read after the instruction at this offset before they are set again."""
    return _live(code).get(at, frozenset(code.co_varnames)) | set(code.co_cellvars) | set(code.co_freevars)


@lru_cache(maxsize=512)
def _live(code: CodeType) -> dict[int, frozenset[str]]:
    """By offset, what is live after the instruction there: a backward analysis to its fixed point."""
    instructions = list(dis.get_instructions(code))
    following = dict(_successors(code, instructions))
    before: dict[int, frozenset[str]] = {each.offset: frozenset() for each in instructions}
    after: dict[int, frozenset[str]] = dict(before)
    changed = True
    while changed:
        changed = False
        for each in reversed(instructions):
            out = frozenset().union(*(before[to] for to in following[each.offset] if to in before))
            new = _through(each, out)
            if new != before[each.offset] or out != after[each.offset]:
                before[each.offset], after[each.offset] = new, out
                changed = True
    return after


def _through(instruction: dis.Instruction, live: frozenset[str]) -> frozenset[str]:
    """What is live before an instruction, by what is live after it."""
    name = instruction.opname
    if "FAST" not in name:
        return live
    named = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
    if name.startswith(("STORE_FAST_LOAD", "STORE_FAST__LOAD")):
        return (live | {named[-1]}) - {named[0]} | ({named[-1]} if named[-1] == named[0] else set())
    if name.startswith(("STORE_FAST", "DELETE_FAST")):
        return live - set(named)
    return live | set(named)


def _successors(code: CodeType, instructions: list[dis.Instruction]) -> Iterator[tuple[int, set[int]]]:
    handlers = list(_handlers(code))
    for number, each in enumerate(instructions):
        found: set[int] = set()
        if each.opname not in _ENDS | _ALWAYS_JUMPS and number + 1 < len(instructions):
            found.add(instructions[number + 1].offset)
        if each.opcode in dis.hasjrel or each.opcode in dis.hasjabs:
            found.add(each.argval)
        found |= {target for start, end, target in handlers if start <= each.offset < end}
        yield each.offset, found


def _handlers(code: CodeType) -> Iterator[tuple[int, int, int]]:
    """The ranges in which an exception goes to a handler: start, end, and where the handler is."""
    entries: list[Any] = vars(dis.Bytecode(code)).get("exception_entries", [])
    for entry in entries:
        yield entry.start, entry.end, entry.target
