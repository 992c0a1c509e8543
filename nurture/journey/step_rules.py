"""The rules of how a track takes its steps: awaited where they are called, in one order, with nothing kept outside.

Each breach is a line and `what; remedy`. `nurture.journey.rules` reads the source and asks here.
"""

import ast
import builtins
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any

from nurture.errors import close_names
from nurture.journey.lead import Lead
from nurture.journey.matchers import JOIN, Matcher
from nurture.journey.own import is_activity
from nurture.journey.segment_reads import Named, asked_segment
from nurture.journey.set_rules import set_breaches
from nurture.journey.source import UNKNOWN, Source
from nurture.journey.swallowing import SWALLOWS, swallows

STEPS = frozenset(name for name, value in vars(Lead).items() if inspect.iscoroutinefunction(value))
METHODS = frozenset(name for name, value in vars(Lead).items() if isinstance(value, FunctionType))
MEMBERS = frozenset(name for name in vars(Lead) if not name.startswith("_"))
MUTATORS = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove"}
    | {"reverse", "setdefault", "sort", "update", "__setitem__"}
)
NO_ORDER = "which differs from one process to the next; compare the value itself, or split leads with lead.choose(...)"
IN_FINALLY = "takes a step in finally, which runs each time the lead rests as well; put it after the try"
LEAVES_FINALLY = "leaves a finally around steps, so that no run can end there; put it after the try"
KEPT_ON_CLASS = "changes a class, which outlives the run and is every lead's; keep it in a variable of the function"
MANAGER = (
    "stands around a step and swallows what lets the lead rest: its __exit__ says True; let it return None, or only "
    "what it compares"
)
CATCHES_ALL = (
    "catches everything around a step, also what lets the lead rest; a step does not raise, it is falsy if refused: "
    "drop the try, or name the error"
)


def step_breaches(source: Source) -> Iterator[tuple[int, str]]:
    """What the source of a story or its helper does wrong with the lead and its steps."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Call():
                yield from _call_breaches(node, source)
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name in source.leads:
                yield from _member_breaches(node, name, attr)
                yield from _uncalled_breaches(node, source)
            case ast.Try() | ast.TryStar():
                yield from _try_breaches(node, source)
            case ast.With() if _awaits(node.body):
                yield from _suppress_breaches(node, source)
                yield from _manager_breaches(node, source)
            case ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.If() | ast.While() | ast.IfExp():
                yield from _truth_breaches(node, source)
            case _:
                yield from _outliving_breaches(node, source)
    yield from set_breaches(source, STEPS)


def _outliving_breaches(node: ast.AST, source: Source) -> Iterator[tuple[int, str]]:
    """A change or a use of what outlives the run, or differs from one process to the next."""
    match node:
        case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
            yield from _kept_breaches(node, node.value, source)
        case ast.Name(id="hash" | "id" as name) if source.names.get(name) is getattr(builtins, name):
            yield node.lineno, f"uses {name}(), {NO_ORDER}"
        case ast.Name(id="globals") if source.names.get("globals") is globals:
            yield node.lineno, "uses globals(), which outlive the run and are every lead's; name the value itself"
        case ast.Name(id=name, ctx=ast.Load()) if isinstance(source.outside(name), Iterator):
            yield (
                node.lineno,
                f"uses up {name}, which outlives the run and is every lead's; make it in the function",
            )
        case ast.AugAssign(target=ast.Name() as target):
            yield from _kept_breaches(node, target, source)
        case _:
            pass


def _call_breaches(call: ast.Call, source: Source) -> Iterator[tuple[int, str]]:
    said = ast.unparse(call)
    if is_activity(source.value(call.func)):
        called = ast.unparse(call.func)
        yield call.lineno, f"runs the activity {called} itself; write `await lead.do({called}, ...)`"
        return
    if _is_step(call, source) and not _awaited(call, source):
        yield call.lineno, f"calls {said} without await, so it never happens; write `await {said}`"
    if (asked := asked_segment(call, source)) is not None and not isinstance(source.value(asked), str | Named):
        yield (
            call.lineno,
            f"asks {said} of what only a run can know; name a segment there: lead.is_in(gone_quiet), or 'gone-quiet'",
        )
    match call.func:
        case ast.Attribute(value=ast.Name(id=name), attr="wait") if name in source.leads:
            yield from _wait_breaches(call, source)
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in MUTATORS and inspect.ismodule(
            source.outside(name)
        ):
            pass
        case ast.Attribute(attr=attr) if attr in MUTATORS:
            yield from _kept_breaches(call, call.func, source)
        case ast.Name(id="getattr" | "setattr" | "delattr" as name):
            if name != "getattr" and call.args:
                yield from _kept_breaches(call, call.args[0], source)
            match call.args:
                case [ast.Name(id=name), ast.Constant(value=str(attr)), *_] if name in source.leads:
                    yield from _member_breaches(call, name, attr)


def _is_step(call: ast.Call, source: Source) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if name in source.leads:
            return attr in STEPS
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id=name)):
            value = source.value(call.func)
            return inspect.iscoroutinefunction(value) or name in source.coroutines
    return False


def _awaited(node: ast.AST, source: Source) -> bool:
    """Whether a call is awaited where it stands, or handed back by what is no coroutine to be awaited there."""
    parent = source.parents.get(node)
    if isinstance(parent, ast.IfExp) and node is not parent.test:
        return _awaited(parent, source)
    if isinstance(parent, ast.Lambda):
        return True
    if isinstance(parent, ast.Return):
        return isinstance(source.around(parent), ast.FunctionDef)
    return isinstance(parent, ast.Await)


def _member_breaches(node: ast.expr, name: str, attr: str) -> Iterator[tuple[int, str]]:
    if attr.startswith("_"):
        reads = ", ".join(sorted(MEMBERS - STEPS))
        yield node.lineno, f"reads {name}.{attr}, which is not the track's to read; a track reads {reads}"
    elif attr not in MEMBERS:
        near = close_names(attr, MEMBERS)
        hint = f"did you mean {name}.{near[0]}?" if near else f"it has {', '.join(sorted(MEMBERS))}"
        yield node.lineno, f"a lead has no {attr!r}; {hint}"


def _uncalled_breaches(node: ast.Attribute, source: Source) -> Iterator[tuple[int, str]]:
    """A question to the lead that is not asked: the method itself is always true, and equal to nothing."""
    parent = source.parents.get(node)
    asks = isinstance(parent, ast.Compare | ast.BoolOp | ast.UnaryOp) or (
        isinstance(parent, ast.If | ast.While | ast.IfExp | ast.Assert) and parent.test is node
    )
    if asks and node.attr in METHODS and not node.attr.startswith("_"):
        said = ast.unparse(node)
        yield node.lineno, f"asks for {said} without calling it; write {'await ' * (node.attr in STEPS)}{said}(...)"


def _wait_breaches(call: ast.Call, source: Source) -> Iterator[tuple[int, str]]:
    for argument in call.args[:1]:
        value = source.value(argument)
        if isinstance(value, int | float | str):
            yield call.lineno, f"waits for {value!r}, and a bare number is no time; write days=... or hours=..."
    for keyword in call.keywords:
        value = source.value(keyword.value)
        if keyword.arg not in {"days", "hours"} or value is UNKNOWN or value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield call.lineno, f"waits for {keyword.arg}={value!r}, which is no number; write {keyword.arg}=7"
        elif not value >= 0:
            yield (
                call.lineno,
                f"waits for {keyword.arg}={value}; no wait is shorter than nothing: drop it, or mend it",
            )


def _try_breaches(node: ast.Try | ast.TryStar, source: Source) -> Iterator[tuple[int, str]]:
    for step in _awaits(node.finalbody):
        yield step.lineno, IN_FINALLY
    if not _awaits([*node.body, *node.orelse, *node.handlers]):
        return
    for each in node.finalbody:
        for inner in ast.walk(each):
            if isinstance(inner, ast.Return | ast.Break | ast.Continue):
                yield inner.lineno, LEAVES_FINALLY
    for handler in node.handlers:
        if _catches_all(handler.type, source) and not _raises_again(handler):
            yield handler.lineno, CATCHES_ALL


def _suppress_breaches(node: ast.With, source: Source) -> Iterator[tuple[int, str]]:
    for item in node.items:
        call = item.context_expr
        if not isinstance(call, ast.Call) or ast.unparse(call.func).rpartition(".")[2] != "suppress":
            continue
        if any(_catches_all(each, source) for each in call.args):
            yield node.lineno, CATCHES_ALL


def _manager_breaches(node: ast.With, source: Source) -> Iterator[tuple[int, str]]:
    """A context manager of the author's own that swallows everything."""
    for item in node.items:
        expression = item.context_expr
        value = source.value(expression.func if isinstance(expression, ast.Call) else expression)
        if value is UNKNOWN and isinstance(expression, ast.Name):
            made = source.made(expression.id)
            value = source.value(made.func) if made is not None else UNKNOWN
        if value is not UNKNOWN and swallows(value):
            yield node.lineno, f"{ast.unparse(expression)} {MANAGER}"


def _truth_breaches(node: ast.AST, source: Source) -> Iterator[tuple[int, str]]:
    """A matcher taken for true or false."""
    match node:
        case ast.BoolOp(values=[*asked, _]):  # the last is the answer, and not asked
            pass
        case ast.UnaryOp(operand=operand):
            asked = [operand]
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            asked = [test]
        case _:
            return
    for each in asked:
        if _is_matcher(each, source):
            yield each.lineno, f"takes {ast.unparse(each)} for true or false; {JOIN}"
            return


def _is_matcher(node: ast.expr, source: Source) -> bool:
    match node:
        case ast.Call(func=func):
            return getattr(source.value(func), "__module__", "") == Matcher.__module__
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _is_matcher(left, source) or _is_matcher(right, source)
        case ast.Name() | ast.Attribute():
            return isinstance(source.value(node), Matcher)
        case _:
            return False


def _catches_all(caught: ast.expr | None, source: Source) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_catches_all(each, source) for each in caught.elts)
    return caught is None or source.value(caught) in SWALLOWS


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _kept_breaches(node: ast.expr | ast.stmt, target: ast.expr, source: Source) -> Iterator[tuple[int, str]]:
    """A change to something that is not the run's own: a global, a closure's, a mutable default."""
    while isinstance(target, ast.Subscript | ast.Attribute):
        if isinstance(target, ast.Attribute) and target.attr == "__class__":
            yield node.lineno, KEPT_ON_CLASS
            return
        target = target.value
    match target:
        case ast.Call(func=ast.Name(id="type"), args=[_]):
            yield node.lineno, KEPT_ON_CLASS
        case ast.Name(id="cls") if "cls" in source.own and target is not getattr(node, "target", None):
            yield node.lineno, KEPT_ON_CLASS
        case _:
            pass
    if isinstance(target, ast.Name) and source.outside(target.id) is not UNKNOWN:
        yield (
            node.lineno,
            f"changes {target.id}, which outlives the run and is every lead's; keep it in a variable of the function",
        )


def _awaits(body: list[Any]) -> list[ast.Await]:
    """The awaits in these statements, those of functions that they define left out."""
    found: list[ast.Await] = []
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Await):
            found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def recursion_breaches(
    source: Source, function: Callable[..., Any], calls: Mapping[Any, set[Any]]
) -> Iterator[tuple[int, str]]:
    """Calls that lead back to the function with nothing in their arguments that could bring them to an end."""
    branches = any(isinstance(node, ast.If | ast.IfExp | ast.BoolOp | ast.Match) for node in ast.walk(source.tree))
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        called = source.value(node.func)
        called = getattr(called, "function", called)  # a track, by its function
        itself = called is function or (called is UNKNOWN and node.func.id == function.__name__)
        if not itself and not (inspect.isfunction(called) and _reaches(called, function, calls)):
            continue
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if branches and any(not isinstance(each, ast.Name | ast.Constant) for each in given):
            continue
        yield node.lineno, f"calls {node.func.id} again and again without an end; write a while loop with a wait in it"


def _reaches(start: Any, goal: Any, calls: Mapping[Any, set[Any]]) -> bool:
    seen: set[Any] = set()
    waiting = [start]
    while waiting:
        each = waiting.pop()
        if each is goal:
            return True
        if each not in seen:
            seen.add(each)
            waiting += calls.get(each, ())
    return False
