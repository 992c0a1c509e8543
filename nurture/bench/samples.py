"""What an own activity may return, by the type that it says: two examples of each, for trying a track out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel

from nurture.journey.own import NO_TYPE
from nurture.journey.reads import SampleDict

PLAIN: dict[Any, tuple[Any, Any]] = {
    bool: (True, False),
    int: (1, 1000),
    float: (1.0, 1000.0),
    str: ("sample", ""),
    NoneType: (None, None),
}


def samples_of(kind: Any) -> list[Any]:
    """JSON values of a type, a plain and an extreme one; [None] of what is not known."""
    return [_sample(kind, 0), _sample(kind, 1)] if kind not in NO_TYPE else [None]


def _sample(kind: Any, way: int) -> Any:  # noqa: PLR0911 - a table of kinds
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in PLAIN:
        return PLAIN[kind][way]
    if origin in {Union, UnionType}:
        return _sample(arguments[-way], way)
    if origin is Literal:
        return arguments[-way]
    if origin in {list, set, frozenset} or kind in {list, set, frozenset}:
        return [] if way else [_sample(arguments[0] if arguments else Any, 0)]
    if origin is tuple:
        return [_sample(each, way) for each in arguments if each is not ...]
    if origin is dict or kind is dict:
        return SampleDict(_sample(arguments[1] if arguments else Any, way))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return list(kind)[-way].value
    fields = _fields(kind)
    return None if fields is None else {name: _sample(each, way) for name, each in fields.items()}


def _fields(kind: Any) -> dict[str, Any] | None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: each.annotation for name, each in kind.model_fields.items()}
    read: Callable[[Any], dict[str, Any]] = get_type_hints
    return read(kind) if dataclasses.is_dataclass(kind) or is_typeddict(kind) else None
