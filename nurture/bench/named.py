"""Names that a track only asks by: pieces, pages, traits and stages that nothing answers to, found in its source.

A step with a wrong name fails when it is tried out. A question with one is answered with no, for ever and in silence.
"""

import ast
from collections.abc import Iterator

from nurture.content.catalogue import STAGES, Catalogue
from nurture.errors import close_names
from nurture.journey import matchers
from nurture.journey.matchers import Matcher
from nurture.journey.patterns import Pattern
from nurture.journey.rules import sources_of
from nurture.journey.source import Source
from nurture.journey.track import Track

TRAITS = ("company-size", "industry", "occupation", "seniority", "source", "topic")
"""The traits that a profile may have; `perennial.leads.profile` reads them."""

OF_PIECES = ("email.opened", "email.clicked", "email.replied")


def unanswered_names(track: Track, catalogue: Catalogue) -> list[str]:
    """The names in a track's questions that can match nothing, each `file:line: what; remedy`."""
    found = [f"{track.where}: {said}" for each in track.enters_on.patterns for said in _pattern_faults(each, catalogue)]
    for pattern in track.exits.patterns:
        found += [f"{track.where}: {said}" for said in _heard_faults(pattern, catalogue)]
    for function in (track.function, track.on_graduation):
        for _, source in sources_of(function):
            for line, said in _faults(source, catalogue):
                found.append(f"{source.file}:{source.first + line - 1}: {said}")
    return list(dict.fromkeys(found))


def _faults(source: Source, catalogue: Catalogue) -> Iterator[tuple[int, str]]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="trait"), args=[asked, *_]):
                trait = source.value(asked)
                if name in source.leads and isinstance(trait, str) and trait not in TRAITS:
                    yield node.lineno, _unknown(f"reads the trait {trait!r}, which no lead has", trait, TRAITS)
            case ast.Compare(left=ast.Attribute(value=ast.Name(id=name), attr="stage"), comparators=[other]):
                compared = source.value(other)
                stages = compared if isinstance(compared, tuple | list | set | frozenset) else (compared,)
                for stage in stages if name in source.leads else ():
                    if isinstance(stage, str) and stage not in STAGES:
                        yield node.lineno, _unknown(f"compares the stage with {stage!r}", stage, STAGES)
            case ast.Call() | ast.Name():
                matcher = _matcher(node, source)
                for pattern in matcher.patterns if matcher is not None else ():
                    for said in _heard_faults(pattern, catalogue):
                        yield node.lineno, said


def _matcher(node: ast.Call | ast.Name, source: Source) -> Matcher | None:
    """The matcher that an expression makes, as far as its source alone says so."""
    if isinstance(node, ast.Name):
        value = source.value(node)
        return value if isinstance(value, Matcher) else None
    made = source.value(node.func)
    given = [source.value(each) for each in (*node.args, *(keyword.value for keyword in node.keywords))]
    if getattr(made, "__module__", "") != matchers.__name__ or not all(isinstance(each, str) for each in given):
        return None
    matcher = made(*given) if len(given) == 1 else None
    return matcher if isinstance(matcher, Matcher) else None


def _heard_faults(text: str, catalogue: Catalogue) -> Iterator[str]:
    """As of a pattern that a journey on its way is to hear."""
    if Pattern.parse(text).name == matchers.ENTERED:
        yield "listens for a segment, which wakes no journey; only enters_on takes segment_entered: ask lead.is_in(...)"
    yield from _pattern_faults(text, catalogue)


def _pattern_faults(text: str, catalogue: Catalogue) -> Iterator[str]:
    pattern = Pattern.parse(text)
    subject = pattern.subject
    if pattern.name in OF_PIECES and subject:
        pieces = (*catalogue.pieces, *(was for was, _ in catalogue.renames))
        if not any(pattern.matches(pattern.name, each) for each in pieces):
            yield _unknown(f"waits for {matchers.say_pattern(text)}, and no piece is called so", subject, pieces)
    if pattern.name == "page.viewed" and subject and not subject.startswith(("/", "*", "?", "[")):
        yield f"waits for the page {subject!r}, and a page begins with a slash; write {'/' + subject!r}"


def _unknown(said: str, name: str, known: tuple[str, ...]) -> str:
    near = close_names(name, known)
    if near:
        return f"{said}; did you mean {near[0]}?"
    return f"{said}; use one of {', '.join(known)}" if len(known) < 10 else f"{said}; mend the name"
