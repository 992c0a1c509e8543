"""Which segments a track asks for: found in its source, so that they are looked up before its code runs."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from nurture.journey.source import Source


@runtime_checkable
class Named(Protocol):
    """What a track may ask for by itself: a segment, which has a name and what is meant by it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def meant(self) -> Any:
        """The predicate."""


@dataclass(frozen=True, slots=True)
class SegmentRead:
    """One place where a track asks for a segment: by name, or by the segment itself; `where` is `file:line`."""

    name: str
    where: str
    itself: Named | None = None


def segment_name(segment: object) -> str:
    """The name of what a track asks for. Raises TypeError for what is no segment."""
    if isinstance(segment, str):
        return segment
    if isinstance(segment, Named):
        return segment.name
    raise TypeError(f"a segment is asked for by itself or by its name, such as is_in('gone-quiet'), not {segment!r}")


def segment_reads(sources: list[tuple[Callable[..., Any], Source]]) -> Iterator[SegmentRead]:
    """The segments that these functions ask for, in order."""
    for _, source in sources:
        for node in ast.walk(source.tree):
            if (asked := asked_segment(node, source)) is None:
                continue
            value = source.value(asked)
            where = f"{source.file}:{source.first + asked.lineno - 1}"
            if isinstance(value, str):
                yield SegmentRead(value, where)
            elif isinstance(value, Named):
                yield SegmentRead(value.name, where, value)


def asked_segment(node: ast.AST, source: Source) -> ast.expr | None:
    """What stands in `lead.is_in(...)`, if the node is such a question."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="is_in"), args=[asked]) if name in source.leads:
            return asked
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="is_in"), keywords=[ast.keyword(value=asked)]):
            return asked if name in source.leads else None
        case _:
            return None
