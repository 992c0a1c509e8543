"""Draw the rooms and their imports: `python -m docs.draw_rooms` writes docs/rooms.svg, from the code alone.

A box is a room, with the first line of its docstring. An arrow says: imports. Not drawn are an arrow that follows from
two others, what the contracts in pyproject.toml excuse, and arrows to `nurture`, the ground that all rooms stand on.
"""

import ast
import sys
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from html import escape
from itertools import pairwise
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
DRAWING = ROOT / "docs" / "rooms.svg"
PACKAGES = ("nurture", "models", "workflows", "activities", "perennial")
GROUND = "nurture"

WIDTH, HEIGHT, GAP, STOREY, MARGIN = 236, 74, 20, 108, 12
LINE, LETTERS = 14, 36

STYLE = """
  text { font: 11px system-ui, sans-serif; fill: #57606a }
  .name { font-weight: 600; font-size: 13px; fill: #1f2328 }
  rect { fill: #f6f8fa; stroke: #8c959f }
  path { fill: none; stroke: #8c959f; stroke-width: 1.2; marker-end: url(#head) }
  #head path { fill: #8c959f; stroke: none; marker-end: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 }
    .name { fill: #f0f6fc }
    rect { fill: #212830; stroke: #656c76 }
    path { stroke: #9198a1 }
    #head path { fill: #9198a1 }
  }
"""


@dataclass(eq=False)
class Place:
    """Where a room stands, or, without a room, where an arrow passes a storey. `x` is the middle."""

    room: str
    floor: int
    x: float = 0.0
    beside: list["Place"] = field(default_factory=list)

    @property
    def width(self) -> int:
        """The room that it takes up."""
        return WIDTH if self.room else GAP


def room_of(module: str) -> str:
    """The room of a module: `perennial.leads.importing.mapping` is in `perennial.leads`."""
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] == "perennial" else 1])


def imports() -> dict[str, set[str]]:
    """What each room imports, without the ground and what the contracts excuse."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    excused = [rule.split(" -> ") for contract in contracts for rule in contract.get("ignore_imports", ())]
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    found: dict[str, set[str]] = {room_of(module): set() for module in sorted(graph.modules)}
    del found["perennial"], found[GROUND]
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            here, there = room_of(importer), room_of(imported)
            excuse = any(fnmatchcase(importer, one) and fnmatchcase(imported, other) for one, other in excused)
            if here != there and not excuse and {here, there} <= set(found):
                found[here].add(there)
    return found


def arrows(found: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """The imports that do not follow from others. Raises RecursionError if rooms import each other in a circle."""

    def beyond(room: str) -> set[str]:
        return found[room].union(*(beyond(each) for each in found[room]))

    return [
        (room, each)
        for room in found
        for each in sorted(found[room] - set().union(*(beyond(other) for other in found[room])))
    ]


def floors(rooms: Sequence[str], drawn: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The storey of each room: above all that it imports, and where that leaves a choice, where arrows are shortest."""
    below = {room: [there for here, there in drawn if here == room] for room in rooms}
    above = {room: [here for here, there in drawn if there == room] for room in rooms}
    floor: dict[str, int] = {}

    def settle(room: str) -> int:
        if room not in floor:
            floor[room] = 1 + max(map(settle, below[room]), default=-1)
        return floor[room]

    for room in sorted(rooms, key=settle, reverse=True):
        if above[room] and len(above[room]) > len(below[room]):
            floor[room] = min(floor[each] for each in above[room]) - 1
    return floor


def places(floor: Mapping[str, int], drawn: Sequence[tuple[str, str]]) -> tuple[list[Place], list[list[Place]]]:
    """All places, and each arrow as the places that it passes, from the top."""
    stands = {room: Place(room, floor[room]) for room in floor}
    every, ways = list(stands.values()), []
    for here, there in drawn:
        passed = [Place("", number) for number in range(floor[here] - 1, floor[there], -1)]
        way = [stands[here], *passed, stands[there]]
        for one, other in pairwise(way):
            one.beside.append(other)
            other.beside.append(one)
        every += passed
        ways.append(way)
    return every, ways


def arrange(every: Sequence[Place]) -> None:
    """Move each place towards those that it is joined to, storey by storey, so that arrows are short."""
    top = max(place.floor for place in every)
    storeys = [[place for place in every if place.floor == number] for number in range(top + 1)]
    for turn in range(24):
        for storey in storeys if turn % 2 else reversed(storeys):
            wish = {id(one): sum(each.x for each in one.beside) / (len(one.beside) or 1) for one in storey}
            storey.sort(key=lambda one: (round(wish[id(one)], 3), one.room))
            spread_out(storey, [wish[id(one)] for one in storey])


def spread_out(storey: Sequence[Place], wishes: Sequence[float]) -> None:
    """Place a storey from left to right, as near to the wishes as its widths allow (pool adjacent violators)."""
    offsets = [0.0]
    for left, right in pairwise(storey):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + GAP)
    pools: list[list[float]] = []
    for wish, offset in zip(wishes, offsets, strict=True):
        pools.append([wish - offset])
        while len(pools) > 1 and mean(pools[-2]) > mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    starts = [mean(pool) for pool in pools for _ in pool]
    for place, start, offset in zip(storey, starts, offsets, strict=True):
        place.x = start + offset


def mean(numbers: Sequence[float]) -> float:
    """The mean of some numbers."""
    return sum(numbers) / len(numbers)


def about(room: str) -> str:
    """What a room says that it is about: the first line of its docstring."""
    source = (ROOT / room.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0].replace("`", "")


def box(room: str, x: int, y: int, width: int = WIDTH) -> str:
    """A room: its name, and what it is about."""
    lines = textwrap.wrap(about(room), LETTERS * width // WIDTH)
    return "\n".join(
        [
            f'<rect x="{x}" y="{y}" width="{width}" height="{HEIGHT}" rx="6"/>',
            f'<text class="name" x="{x + 10}" y="{y + 19}">{escape(room)}</text>',
            *(
                f'<text x="{x + 10}" y="{y + 22 + LINE * number}">{escape(line)}</text>'
                for number, line in enumerate(lines, 1)
            ),
        ]
    )


def drawing() -> str:
    """The drawing, as SVG."""
    found = imports()
    drawn = arrows(found)
    every, ways = places(floors(list(found), drawn), drawn)
    arrange(every)
    left = min(place.x - place.width / 2 for place in every)
    wide = round(max(place.x + place.width / 2 for place in every) - left)
    top = max(place.floor for place in every)

    def middle(place: Place) -> int:
        return round(place.x - left) + MARGIN

    def roof(place: Place) -> int:
        return (top - place.floor) * STOREY + MARGIN

    lines = []
    for way in ways:
        steps = [f"M{middle(way[0])},{roof(way[0]) + HEIGHT}"]
        for one, other in pairwise(way):
            start, end, half = roof(one) + HEIGHT, roof(other), (STOREY - HEIGHT) // 2
            steps.append(f"C{middle(one)},{start + half} {middle(other)},{end - half} {middle(other)},{end}")
            steps += [] if other.room else [f"V{end + HEIGHT}"]
        lines.append(f'<path d="{" ".join(steps)}"/>')
    boxes = [box(place.room, middle(place) - WIDTH // 2, roof(place)) for place in every if place.room]
    ground = box(GROUND, MARGIN, (top + 1) * STOREY + MARGIN, wide)
    width, height = wide + 2 * MARGIN, (top + 1) * STOREY + HEIGHT + 2 * MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
            f"<style>{STYLE}</style>",
            '<marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
            '<path d="M0,0 L8,4 L0,8 z"/></marker>',
            *lines,
            *boxes,
            ground,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    DRAWING.write_text(drawing(), encoding="utf-8")
    sys.stdout.write(f"wrote {DRAWING.relative_to(ROOT)}\n")
