"""The map of a track, drawn from its paths: one box a line of its code, one arrow a way from line to line.

As Mermaid text, and as DOT for whoever lays it out. In marketing's words: no key, no code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from nurture.bench.paths.graph import Graph, Line, Move, Place
from nurture.bench.paths.story import say_span
from nurture.journey.decision import AlertStep, Do, Enrol, Finish, HandOff, Park, Send
from nurture.journey.keys import Key
from nurture.journey.matchers import say_pattern
from nurture.journey.track import Track

Spot = tuple[Line, str, str]
"""A line of the code, the kind of what comes next there, and for an end its outcome."""

BACK: Spot = (Line("", 0), "end", "back")
"""Where a lead is that a graduation gave back."""

MOST_NAMED = 3
"""A line that sends more pieces than this is said by their number."""

SILENCE = "none of that"
"""What an arrow says where the time of a wait ran out."""

_COMPARED = re.compile(r"(?P<name>[^=<>]+) = [^<>=]+ (?P<op>[<>]=?) (?P<other>.+)")


@dataclass(slots=True)
class Box:
    """One box: its kind, what its line does, the places of journeys that stand there, and how many do."""

    kind: str
    says: dict[str, None] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    leads: int | None = None

    @property
    def text(self) -> str:
        """What it says: a line or two."""
        said = list(self.says)
        if self.kind == "send" and len(said) > MOST_NAMED:
            said = [f"send the next of {len(said)} pieces"]
        elif self.kind == "wait" and len(said) > MOST_NAMED:
            said = ["wait, as long as suits the lead"]
        text = " or ".join(said)
        return text if not self.leads else f"{text}\n{self.leads:,} leads" if self.leads != 1 else f"{text}\n1 lead"


@dataclass(slots=True)
class Map:
    """The boxes of a track and the arrows between them, each with what it says."""

    name: str
    story: str
    exits: tuple[str, ...]
    boxes: dict[Spot, Box] = field(default_factory=dict)
    arrows: dict[tuple[Spot, Spot], dict[str, None]] = field(default_factory=dict)
    shares: dict[tuple[Spot, str], int] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """The map in words, for those who do not see it."""
        numbers = {spot: number for number, spot in enumerate(self.boxes, 1)}
        lines = [self.story.replace("\n", " ")]
        for spot, box in self.boxes.items():
            ways = [f"{says(label)} {numbers[to]}" for (one, to), label in self.arrows.items() if one == spot]
            after = f"; {', '.join(ways)}" if ways else ""
            lines.append(f"{numbers[spot]}. {box.text.replace(chr(10), ', ')}{after}")
        if self.exits:
            lines.append(f"Wherever it stands, the lead leaves the track if it {', or '.join(self.exits)}.")
        return "\n".join(lines)


def says(label: Mapping[str, None]) -> str:
    """What an arrow says, in the description."""
    said = _arrow_text(label)
    return f"if {said}, then" if said else "then"


def map_of(track: Track, graph: Graph, standing: Mapping[str, int] | None = None) -> Map:
    """The map of an explored track; `standing` is how many leads stand at each key."""
    exits = tuple(say_pattern(pattern) for pattern in track.exits.patterns)
    drawn = Map(track.name, track.story, exits)
    spots: dict[int, Spot] = {}
    for place in graph.places:
        spot = spots[place.number] = _spot(place)
        box = drawn.boxes.setdefault(spot, Box(spot[1]))
        box.says.setdefault(_say(place))
        if not place.ends:
            box.keys.add(Key.parse(place.next.key).place)  # type: ignore[union-attr] # an end has no key
    forks = _forks(graph, spots)
    for place in graph.places:
        for move, number in place.edges:
            after = graph.places[number]
            ends = spots[place.number], spots[number]
            label = _label(move, place)
            if _in_graduation(place) and not (_in_graduation(after) or after.ends):
                ends = ends[0], BACK
                drawn.boxes.setdefault(BACK, Box("end", {"goes on where it stood": None}))
            elif forks[ends[0], label] > 1 and (asked := _asked(after)):
                label = f"{label}, {asked}" if label else asked
            drawn.arrows.setdefault(ends, {}).setdefault(label)
    _count(drawn, standing or {})
    return drawn


def mermaid(drawn: Map) -> str:
    """The map as a Mermaid flowchart."""
    numbers = {spot: f"n{number}" for number, spot in enumerate(drawn.boxes)}
    shapes = {"wait": ("([", "])"), "end": ("[[", "]]")}
    lines = ["flowchart TD", f"  accTitle: {drawn.name}", f"  accDescr {{ {drawn.story.replace(chr(10), ' ')} }}"]
    for spot, box in drawn.boxes.items():
        opened, closed = shapes.get(box.kind, ("[", "]"))
        lines.append(f'  {numbers[spot]}{opened}"{_quoted(box.text)}"{closed}')
    for (one, to), label in drawn.arrows.items():
        said = _arrow_text(label)
        middle = f'-- "{_quoted(said)}" -->' if said else "-->"
        lines.append(f"  {numbers[one]} {middle} {numbers[to]}")
    if drawn.exits:
        lines.append(f'  out["leaves from anywhere if it<br/>{_quoted("<br/>or ".join(drawn.exits))}"]')
    return "\n".join(lines) + "\n"


def dot(drawn: Map) -> str:
    """The map in Graphviz's language; the classes are the kinds of the boxes."""
    numbers = {spot: f"n{number}" for number, spot in enumerate(drawn.boxes)}
    lines = [
        "digraph track {",
        '  graph [bgcolor=transparent, rankdir=TB, nodesep=0.35, ranksep=0.45, fontname="Helvetica"]',
        '  node [shape=box, style=rounded, fontname="Helvetica", fontsize=12, margin="0.24,0.1"]',
        '  edge [fontname="Helvetica", fontsize=10, arrowsize=0.7]',
    ]
    for spot, box in drawn.boxes.items():
        peripheries = 2 if box.kind == "end" else 1
        lines.append(
            f'  {numbers[spot]} [label="{_in_dot(_folded(box.text))}", class="{box.kind}", peripheries={peripheries}]'
        )
    for (one, to), label in drawn.arrows.items():
        lines.append(f'  {numbers[one]} -> {numbers[to]} [label="{_in_dot(_folded(_arrow_text(label), 22))}"]')
    if drawn.exits:
        text = _folded("leaves from anywhere if it " + ", or ".join(drawn.exits))
        lines.append(f'  out [label="{_in_dot(text)}", class="exits", style="rounded,dashed"]')
    return "\n".join([*lines, "}"]) + "\n"


def _in_graduation(place: Place) -> bool:
    return not isinstance(place.next, Finish) and Key.parse(place.next.key).is_graduation


def _spot(place: Place) -> Spot:
    match place.next:
        case Finish(outcome=outcome):
            return Line("", 0), "end", outcome
        case Park():
            return place.line, "wait", ""
        case step:
            return place.line, step.kind, ""


def _say(place: Place) -> str:  # noqa: PLR0911 - one case a kind of step
    match place.next:
        case Finish(outcome=outcome):
            return outcome
        case Park():
            return _say_wait(place)
        case Send(piece=piece):
            return f"send {piece}"
        case HandOff(to=to):
            return f"offer to {to}"
        case AlertStep(text=text):
            return f"alert: {text}"
        case Enrol(track=track):
            return f"enrol on {track}"
        case Do(activity=activity):
            return f"do {activity.replace('_', ' ')}"


def _say_wait(place: Place) -> str:
    waiting = place.wait
    if waiting is None:
        return "wait"
    if isinstance(waiting.length, str) and not waiting.length.startswith("to "):
        return "wait, as long as suits the lead"
    if waiting.deadline is None:
        return "wait for it, however long"
    return f"wait {say_span(waiting.deadline - waiting.at)}"


def _label(move: Move, place: Place) -> str:
    match move.kind:
        case "refused":
            return "it is refused"
        case "time":
            has_until = isinstance(place.next, Park) and bool(_until(place))
            return SILENCE if has_until else ""
        case "behaviour":
            behaved = move.facts[-1] if not hasattr(move.facts[0], "subject") else move.facts[0]
            heard = [each for each in _until(place) if _matches(each, behaved)]
            return say_pattern(heard[0]) if heard else "it does something"
        case "graduation":
            return "its score is high enough for sales"
        case _:
            return ""


def _until(place: Place) -> tuple[str, ...]:
    return place.wait.until if place.wait is not None else ()


def _matches(pattern: str, behaved: object) -> bool:
    name, _, _ = pattern.partition(":")
    return getattr(behaved, "name", "") == name


def _forks(graph: Graph, spots: Mapping[int, Spot]) -> dict[tuple[Spot, str], int]:
    """To how many boxes a move leads from a box: where to more than one, what the code read decides."""
    found: dict[tuple[Spot, str], set[Spot]] = {}
    for place in graph.places:
        for move, number in place.edges:
            found.setdefault((spots[place.number], _label(move, place)), set()).add(spots[number])
    return {each: len(to) for each, to in found.items()}


def _asked(place: Place) -> str:
    """What the code read on its way to a place, as conditions."""
    said: dict[str, None] = {}
    for reason in place.because[1:]:
        if (found := _COMPARED.fullmatch(reason)) is not None:
            said.setdefault(f"{found['name']} {found['op']} {found['other']}")
        elif reason.endswith(": nothing left"):
            said.setdefault("nothing is left to send")
    return " and ".join(list(said)[-2:])


def _count(drawn: Map, standing: Mapping[str, int]) -> None:
    """Put leads into boxes: each at the first box whose key is the place where it stands."""
    for key, number in standing.items():
        place = Key.parse(key).place
        box = next((each for each in drawn.boxes.values() if place in each.keys), None)
        if box is not None:
            box.leads = (box.leads or 0) + number


def _arrow_text(label: Mapping[str, None]) -> str:
    """What an arrow says: nothing where nothing is asked for, or whatever happens leads on."""
    said = [each for each in label if each]
    if not said or len(said) < len(label):
        return ""
    if SILENCE in said and len(said) > 1 and not any("," in each for each in said):
        said = [f"in any case; sooner if it {said[0] if said[0] != SILENCE else said[1]}"]
    more = len(said) - MOST_NAMED
    return " or ".join(said[:MOST_NAMED]) + (f" or {more} more" if more > 0 else "")


def _quoted(text: str) -> str:
    return text.replace('"', "'").replace("\n", "<br/>")


def _in_dot(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', "'").replace("\n", "\\n")


def _folded(text: str, width: int = 30) -> str:
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            if line and len(line) + len(word) >= width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}".strip()
        lines.append(line)
    return "\n".join(lines)
