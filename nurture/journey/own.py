"""An engineer's own activity: its name, and the types of what it takes and returns, as its signature says them.

    async def create_workspace(order: DoOrder[Workspace]) -> Created

An argument that does not fit is an error where the track calls; a result is read as its type.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

Activity = Callable[..., Any]
NO_TYPE: tuple[Any, ...] = (Any, object, None, type(None), inspect.Parameter.empty)
JSON: tuple[Any, ...] = (bool, int, float, str, dict, list, *NO_TYPE)


def name_of(activity: str | Activity) -> str:
    """What an activity is called. Raises TypeError for a function that is none."""
    if isinstance(activity, str):
        return activity
    definition = getattr(activity, "__temporal_activity_definition", None)
    if definition is None:
        raise TypeError(f"{getattr(activity, '__name__', activity)!r} is no activity; mark it with @activity.defn")
    return str(definition.name)


def is_activity(value: Any) -> bool:
    """Whether a value is a function marked as an activity."""
    return hasattr(value, "__temporal_activity_definition") and callable(value)


def argument_for(activity: str | Activity, argument: Any) -> Any:
    """The argument as JSON. Raises TypeError if it is not what the activity's signature says."""
    taken = None if isinstance(activity, str) else _taken(activity)
    if taken is None:
        return argument
    try:
        return taken.dump_python(taken.validate_python(argument), mode="json")
    except ValidationError as error:
        raise TypeError(f"{name_of(activity)} does not take this argument: {_first(error)}") from None


def result_of(activity: str | Activity, value: Any) -> Any:
    """What an activity returned, as the type its signature says. Raises TypeError if it is none."""
    returned = None if isinstance(activity, str) or value is None else _returned(activity)
    if returned is None:
        return value
    try:
        return returned.validate_python(value)
    except ValidationError as error:
        raise TypeError(f"what {name_of(activity)} returned is not what it says it returns: {_first(error)}") from None


def prepare(activity: Activity) -> None:
    """Work out the types of an activity now rather than at its first call."""
    _taken(activity)
    _returned(activity)


def return_type(activity: Activity) -> Any:
    """The type that an activity says it returns; Any if it does not say."""
    return _hints(activity).get("return", Any)


def signature_faults(activity: Activity) -> Iterator[str]:
    """What is wrong with the signature of an activity, `file:line: what; remedy`."""
    code = inspect.unwrap(activity).__code__
    where = f"{code.co_filename}:{code.co_firstlineno}"
    parameters = list(inspect.signature(activity).parameters.values())
    hints = _hints(activity)
    takes = [getattr(hints.get(each.name), "__name__", "") for each in parameters]
    if len(parameters) != 1 or takes[0].partition("[")[0] != "DoOrder":
        said = ", ".join(str(each) for each in parameters) or "nothing"
        yield (
            f"{where}: the activity {activity.__name__} takes {said}; it takes one argument, "
            "`order: DoOrder` or `order: DoOrder[YourModel]`, from models.messages"
        )


def _hints(activity: Activity) -> dict[str, Any]:
    try:
        return get_type_hints(activity)
    except (NameError, TypeError):
        return {}


@lru_cache(maxsize=256)
def _taken(activity: Activity) -> TypeAdapter[Any] | None:
    """The type of the order's argument: X of `DoOrder[X]`."""
    hints = [hint for name, hint in _hints(activity).items() if name != "return"]
    if len(hints) != 1:
        return None
    generic = getattr(hints[0], "__pydantic_generic_metadata__", {}).get("args") or get_args(hints[0])
    return TypeAdapter(generic[0]) if generic and generic[0] not in NO_TYPE else None


@lru_cache(maxsize=256)
def _returned(activity: Activity) -> TypeAdapter[Any] | None:
    returned = return_type(activity)
    return None if returned in NO_TYPE or _is_json(returned) else TypeAdapter(returned)


def _is_json(kind: Any) -> bool:
    """Whether a type is what JSON gives anyway."""
    origin = get_origin(kind)
    return kind in JSON or (origin is not None and origin in JSON and all(_is_json(each) for each in get_args(kind)))


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(each) for each in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])
