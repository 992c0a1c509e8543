"""The segments that a track asks for, and what is told to its journal of them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from nurture.errors import InputError, NotFoundError
from nurture.journey.facts import Belongs
from nurture.journey.journal import Journal
from nurture.journey.track import Track
from nurture.segments.facts import LeadFacts
from nurture.segments.named import Segment


def segments_asked(track: Track, known: Mapping[str, Segment]) -> tuple[Segment, ...]:
    """The segments that a track asks for, those that it names found among `known`. Raises InputError, a line each."""
    found: dict[str, Segment] = {}
    wrong: list[str] = []
    for read in track.segments:
        try:
            meant = read.itself if isinstance(read.itself, Segment) else known[read.name]
        except (KeyError, NotFoundError) as error:
            said = str(error) if isinstance(error, NotFoundError) else f"no segment called {read.name!r}"
            wrong.append(f"{read.where}: {said}")
            continue
        if found.setdefault(meant.name, meant) != meant:
            wrong.append(f"{read.where}: another segment called {meant.name!r} is asked for too; rename one")
    if wrong:
        raise InputError("\n".join(wrong))
    return tuple(found.values())


def is_stale(journal: Journal, segments: Iterable[Segment]) -> bool:
    """Whether a journal was never told of one of these segments."""
    return any(journal.belongs(each.name, len(journal)) is None for each in segments)


def news_of(journal: Journal, segments: Iterable[Segment], lead: LeadFacts, now: datetime) -> Belongs | None:
    """What to tell a journal: which of these segments the lead is in at `now`; None if it was told the same last."""
    found = {each.name: each.includes(lead, now) for each in segments}
    if all(journal.belongs(name, len(journal)) is within for name, within in found.items()):
        return None
    to = tuple(name for name, within in found.items() if within)
    return Belongs(now, to, tuple(name for name in found if name not in to))
