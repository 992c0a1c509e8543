"""What is wrong with a track's paths: each fault with its line, what to do, and the shortest story that shows it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from nurture.bench.life import succeeded
from nurture.bench.paths.graph import Graph, Line, Place
from nurture.bench.paths.story import say_span, tell_life
from nurture.content.catalogue import ANY, Catalogue
from nurture.gate import Caps
from nurture.journey.decision import AnyStep, HandOff, Park, Send
from nurture.journey.facts import Behaved, Done, Graduated, Scored
from nurture.journey.journal import Journal
from nurture.journey.keys import Key
from nurture.journey.matchers import converted, say_pattern
from nurture.journey.patterns import hears
from nurture.journey.rules import sources_of
from nurture.journey.step_rules import STEPS
from nurture.journey.track import Track

HOT = 50
"""The score from which a lead is past consideration: who enrols with it has shown something before."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a track's paths: the line of the code, what is wrong and what to do, and a story that shows it."""

    line: Line
    what: str
    story: str = ""

    def __str__(self) -> str:
        return f"{self.line}: {self.what}" + (f". The shortest way there: {self.story}" if self.story else "")


def faults_of(track: Track, catalogue: Catalogue, graph: Graph) -> list[Fault]:
    """Every fault, the nearest to the enrolment first."""
    own = Line(track.file, track.line)
    found = [Fault(own, text, tell_life(journal)) for text, journal in graph.errors.items()]
    for place in graph.places:
        found += _faults_at(place, track)
    found += _without_an_end(graph)
    found += _promises_broken(track, graph)
    if graph.whole:
        found += _unreached(track, graph)
        found += _graduation(track, graph, own)
    found += _missing_content(catalogue, graph)
    found += _experiments(graph, own)
    found += _customers(track, graph, own)
    return list({(each.line, each.what): each for each in reversed(found)}.values())[::-1]


def _faults_at(place: Place, track: Track) -> Iterator[Fault]:
    story = tell_life(place.journal)
    match place.next:
        case Park(until=None, why="wait"):
            yield Fault(
                place.line,
                "waits without an end: a lead that never does it stays here for ever; give the wait days= as well",
                story,
            )
        case Park(why="wait") if place.line.file == track.file:  # a library's wait suits many tracks
            for pattern in _shadowed(place, track):
                yield Fault(
                    place.line,
                    f"waits for what ends the track ({say_pattern(pattern)}, in exits_on): what follows never comes; "
                    "take it out of the wait or of exits_on",
                    story,
                )
        case Send() as send:
            yield from _faults_of_send(place, send, track, story)
        case HandOff(to=to) if not _qualified(place.journal):
            yield Fault(
                place.line,
                f"offers a lead to {to} that did nothing since it enrolled; ask for a score or a behaviour first",
                story,
            )
        case _:
            return


def _faults_of_send(place: Place, send: Send, track: Track, story: str) -> Iterator[Fault]:
    sent = [fact for fact in place.journal if isinstance(fact, Done) and _sent(fact)]
    if send.piece in {Key.parse(fact.key).subject for fact in sent}:
        yield Fault(place.line, f"sends {send.piece} a second time; send another piece, or end the loop", story)
    quiet = _on_a_quiet_way(place.journal)
    recent = [fact for fact in sent if fact in quiet]
    for limit, span in _windows(track.caps):
        inside = [fact for fact in recent if place.now - fact.at < span]
        if len(inside) >= limit:
            yield Fault(
                place.line,
                f"sends {len(inside) + 1} mails within {say_span(span)} to a lead that does nothing, and the cap is "
                f"{limit}: the gate will put {send.piece} off; wait longer before it",
                story,
            )
            return


def _windows(caps: Caps) -> tuple[tuple[int, timedelta], ...]:
    return (
        (caps.per_day, timedelta(days=1)),
        (caps.per_week, timedelta(days=7)),
        (caps.per_month, timedelta(days=30)),
    )


def _sent(fact: Done) -> bool:
    return fact.result == "sent" and Key.parse(fact.key).verb == "send"


def _on_a_quiet_way(journal: Journal) -> list[Done]:
    """The sends since the lead last did something, or graduated: those that come by themselves."""
    found: list[Done] = []
    for fact in journal:
        if isinstance(fact, Behaved | Graduated):
            found = []
        elif isinstance(fact, Done):
            found.append(fact)
    return found


def _qualified(journal: Journal) -> bool:
    """Whether the lead has shown something: a behaviour, a graduation, a score that grew, or was high already."""
    first = journal.enrolled.score
    return (
        any(
            isinstance(fact, Behaved | Graduated) or (isinstance(fact, Scored) and fact.score > first)
            for fact in journal
        )
        or first >= HOT
    )


def _shadowed(place: Place, track: Track) -> Iterator[str]:
    """The patterns that a wait asks for and that end the track before the wait hears them."""
    for pattern in place.wait.until if place.wait is not None else ():
        name, _, subject = pattern.partition(":")
        if pattern in track.exits.patterns or hears(track.exits.patterns, name, subject or "*"):
            yield pattern


def _without_an_end(graph: Graph) -> Iterator[Fault]:
    """The first place from which no way leads to the end; a wait for ever is told as one."""
    if not graph.whole:
        return
    ending = graph.coming_to(place.number for place in graph.places if place.ends or _waits_for_ever(place))
    lost = next((place for place in graph.places if place.number not in ending), None)
    if lost is not None:
        yield Fault(
            lost.line,
            "never ends: from here no path leads to the track's end; return an Outcome at some time",
            tell_life(lost.journal),
        )


def _waits_for_ever(place: Place) -> bool:
    return isinstance(place.next, Park) and place.next.until is None


def _promises_broken(track: Track, graph: Graph) -> Iterator[Fault]:
    for promise in track.promises:
        kept = False
        for place in graph.places:
            if place.rests or place.ends:
                continue
            step: AnyStep = place.next  # type: ignore[assignment] # it neither rests nor ends
            if not promise.broken_by((*place.journal, succeeded(step, place.now))):
                continue
            kept = True
            if promise.kind != "sometimes":
                yield Fault(place.line, f"breaks what the track promises: {promise}", tell_life(place.journal))
                break
        if promise.kind == "sometimes" and not kept and graph.whole:
            yield Fault(Line(track.file, track.line), f"no path does what the track promises: {promise}")


def _unreached(track: Track, graph: Graph) -> Iterator[Fault]:
    """Steps in the source that no path comes to."""
    reached = {(line.file, line.number) for line in graph.lines}
    sources = dict((*sources_of(track.function), *sources_of(track.on_graduation)))
    for source in sources.values():
        for node in ast.walk(source.tree) if source.file == track.file else ():
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb)) if (
                    name in source.leads | {"lead"} and verb in STEPS
                ):
                    first, last = source.first + node.lineno - 1, source.first + (node.end_lineno or node.lineno) - 1
                    if not any((source.file, number) in reached for number in range(first, last + 1)):
                        yield Fault(
                            Line(source.file, first),
                            f"no path reaches lead.{verb}(...) here; mend the condition before it, or take it out",
                        )
                case _:
                    pass


def _graduation(track: Track, graph: Graph, own: Line) -> Iterator[Fault]:
    armed = any(isinstance(place.next, Park) and place.next.wakes_at_score is not None for place in graph.places)
    if track.graduates_at is not None and not armed:
        yield Fault(
            own, f"graduates_at={track.graduates_at} can never be met: no path rests where a score is looked at"
        )


def _missing_content(catalogue: Catalogue, graph: Graph) -> Iterator[Fault]:
    for (stage, formats), line in graph.choices.items():
        of_stage = [piece for piece in catalogue.pieces.values() if piece.stage == stage]
        if not any(not formats or piece.format in formats for piece in of_stage):
            wanted = f"stage {stage}" + (f" and format {' or '.join(formats)}" if formats else "")
            yield Fault(line, f"asks for a piece of {wanted}, and the content folder has none; write one")


def topics_without(catalogue: Catalogue, graph: Graph) -> list[str]:
    """Topics on which a choice of the track finds nothing of their own, nor anything for everyone: a line each."""
    topics = sorted({piece.topic for piece in catalogue.pieces.values()} - {ANY})
    found: list[str] = []
    for (stage, formats), line in graph.choices.items():
        bare = [
            topic for topic in topics if not catalogue.pick(stage, traits={"topic": topic}, seen=(), formats=formats)
        ]
        if bare:
            found.append(f"{line}: nothing of stage {stage} for leads on {', '.join(bare)}")
    return found


def _experiments(graph: Graph, own: Line) -> Iterator[Fault]:
    for name, took in graph.took.items():
        variants = sorted(took)
        for number, one in enumerate(variants):
            for other in variants[number + 1 :]:
                if took[one] == took[other]:
                    yield Fault(
                        own, f"the experiment {name}: {one} and {other} lead to the same; use both, or drop one of them"
                    )


def _customers(track: Track, graph: Graph, own: Line) -> Iterator[Fault]:
    """Mail to somebody who has bought, on a track that wins leads for sales."""
    (won,) = converted.patterns
    name = won.partition(":")[0]
    sells = track.graduates_at is not None or any(isinstance(place.next, HandOff) for place in graph.places)
    if not sells or not any(isinstance(place.next, Send) for place in graph.places):
        return
    if track.exits.matches(name, "") or track.enters_on.matches(name, ""):
        return
    yield Fault(own, "mails customers: no exit for a deal that is won; put converted into exits_on")
