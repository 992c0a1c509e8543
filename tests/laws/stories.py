"""A failed case made small, and told: the edit as a diff, the life, what should have come and what came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from difflib import unified_diff
from itertools import pairwise

from tests.laws.engine import PerennialError
from tests.laws.lives import Life, Planned
from tests.laws.oracles import Case, Judged, judge
from tests.laws.source import body_of
from tests.laws.tracks import ITEM, Program, Send, inner_blocks, is_sound
from tests.laws.world import START


def shrunk(case: Case, fails: Callable[[Judged], bool], budget: int = 400) -> Case:
    """The smallest case found that still fails in the same way."""
    tried = 0
    again = True
    while again:
        again = False
        for smaller in _smaller(case):
            tried += 1
            if tried > budget:
                return case
            try:
                failed = fails(judge(smaller))
            except (AssertionError, KeyError, ValueError, StopIteration, PerennialError):
                continue
            if failed:
                case, again = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:  # noqa: C901, PLR0912 - one part after the other
    world = case.world
    if len(case.edits) > 1:
        for at in range(len(case.edits)):
            fewer = replace(case, edits=(*case.edits[:at], *case.edits[at + 1 :]))
            if _tells_renames(fewer):
                yield fewer
    if case.compacts:
        yield replace(case, compacts=0.0)
    if case.when != "at once":
        yield replace(case, when="at once")
    if world.happenings:
        yield replace(case, world=replace(world, happenings=()))
    if world.gate:
        yield replace(case, world=replace(world, gate={}))
    if world.clicks:
        yield replace(case, world=replace(world, clicks={}))
    if len(world.scores) > 1:
        yield replace(case, world=replace(world, scores=world.scores[:1]))
    if any(world.sales):
        yield replace(case, world=replace(world, sales=(None,)))
    for id_ in sorted({each for program in case.versions for each in program.statements()}):
        for without in (_without, _opened):
            versions = [without(program, id_) for program in case.versions]
            if all(map(is_sound, versions)) and versions != case.versions:
                days = [day for day, _ in case.edits]
                yield replace(case, before=versions[0], edits=tuple(zip(days, versions[1:], strict=True)))
    for at in range(len(world.happenings)):
        yield replace(case, world=replace(world, happenings=(*world.happenings[:at], *world.happenings[at + 1 :])))
    for at in range(1, len(world.scores)):
        yield replace(case, world=replace(world, scores=(*world.scores[:at], *world.scores[at + 1 :])))
    for key in world.gate:
        yield replace(case, world=replace(world, gate={k: v for k, v in world.gate.items() if k != key}))
    for key in world.clicks:
        yield replace(case, world=replace(world, clicks={k: v for k, v in world.clicks.items() if k != key}))


def _tells_renames(case: Case) -> bool:
    """Whether every new name of a piece comes with its old one."""
    versions = case.versions
    for before, after in pairwise(versions):
        now = after.statements()
        for each in before.statements().values():
            new = now.get(each.id)
            if isinstance(each, Send) and isinstance(new, Send) and new.piece not in {each.piece, ITEM}:
                known = each.piece in new.was or new.piece in each.was  # the second: rolled back
                if not known:
                    return False
    return True


def _without(program: Program, id_: int) -> Program:
    address = program.parents().get(id_)
    if address is None:
        return program
    return program.with_blocks({address: tuple(each for each in program.blocks()[address] if each.id != id_)})


def _opened(program: Program, id_: int) -> Program:
    """What is inside a statement in its place."""
    address = program.parents().get(id_)
    if address is None:
        return program
    block = program.blocks()[address]
    at = [each.id for each in block].index(id_)
    inner = tuple(each for _, body in inner_blocks(block[at]) for each in body)
    return program.with_blocks({address: (*block[:at], *inner, *block[at + 1 :])}) if inner else program


# Telling it


def tell(case: Case, judged: Judged) -> str:
    """The case in full."""
    versions = case.versions
    lines = [f"Verdict: {judged.verdict} {judged.why}".rstrip(), ""]
    for number, (day, program) in enumerate(case.edits, 1):
        before, after = body_of(versions[number - 1]).splitlines(), body_of(program).splitlines()
        lines += [
            f"Edit on day {day}, in force {case.when}:",
            "",
            *_indented(unified_diff(before, after, "", "", lineterm="", n=99)),
            "",
        ]
    world = case.world
    lines += ["World: " + ", ".join(_said(case)) or "nothing happens", f"Compaction: {case.compacts}", ""]
    lines += ["Journal at the first edit:", "", *_indented(_journal(case)), ""]
    lines += ["       expected                                      got", ""]
    longest = max(len(judged.expected), len(judged.got))
    for at in range(longest):
        left = _act(judged.expected, at)
        right = _act(judged.got, at)
        lines.append(f"    {' ' if left == right else '*'} {left:44}  {right}".rstrip())
    return "\n".join(lines).replace(f"{world.seed}", "seed") + "\n"


def _said(case: Case) -> Iterator[str]:
    world = case.world
    yield f"scores {dict(world.scores)}"
    yield f"topic {world.topic}"
    sent = {f"{name}" for program in case.versions for name in _names(program)}
    for each in world.happenings:
        late = f" ({each.late} days late)" if each.late else ""
        yield f"day {each.heard}: {each.does} {each.subject}{late}".rstrip()
    yield from (f"gate {key}: {said}" for key, said in world.gate.items() if key.partition("#")[0] in sent)
    yield from (f"clicks {key} after {days}" for key, days in world.clicks.items() if key.partition("#")[0] in sent)
    yield f"sales {world.sales}"


def _names(program: Program) -> set[str]:
    found: set[str] = {"p1", "p2", "p3", "p4", "q1", "q2", "q3"}
    for each in program.statements().values():
        found |= {str(getattr(each, "piece", "")), *getattr(each, "items", ())}
    return found


def _journal(case: Case) -> Iterator[str]:
    mind = Planned(case.before, compacts=case.compacts, seed=case.world.seed)
    Life(mind, case.world).live(case.edits[0][0])
    for fact in mind.journal:
        fields = {
            name: getattr(fact, name)
            for name in fact.__slots__
            if name not in {"at", "kind", "lead", "cause", "traits", "seen", "id"}
            and getattr(fact, name) not in {"", None}
        }
        yield f"{_days(fact.at):7.2f} {fact.kind} " + " ".join(f"{name}={value}" for name, value in fields.items())


def _act(acts: list[tuple[datetime, str]], at: int) -> str:
    return f"{_days(acts[at][0]):7.2f} {acts[at][1]}" if at < len(acts) else ""


def _days(at: datetime) -> float:
    return (at - START) / timedelta(days=1)


def _indented(lines: Iterator[str]) -> list[str]:
    return [f"    {line}".rstrip() for line in lines]
