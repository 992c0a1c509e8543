"""Check a programme before anything is sent: its content, its rules, and every path of its tracks."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from nurture.bench.paths.explore import explore
from nurture.bench.paths.faults import faults_of, topics_without
from nurture.bench.tryout import Known, try_out
from nurture.content.catalogue import Catalogue
from nurture.errors import ContentError, TrackError
from nurture.journey.own import name_of
from nurture.journey.track import Track
from perennial.app.programme import Programme
from perennial.channels.check import check_catalogue


@dataclass(frozen=True, slots=True)
class Explored:
    """How far the paths of a track were followed: the places that lives can come to, and the ways it can end."""

    track: str
    places: int
    decisions: int
    ends: tuple[str, ...]
    whole: bool

    @property
    def text(self) -> str:
        """One line for a person."""
        far = "every path" if self.whole else "not exhaustive, given up"
        ends = ", ".join(self.ends) or "nothing"
        return f"{far}: {self.places:,} places, {self.decisions:,} decisions; ends in {ends}"


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check read, what is wrong, and what is worth knowing, a line each."""

    pieces: int
    tracks: tuple[Explored, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def check_programme(
    programme: Programme, only: str | None = None, told: Callable[[str], None] = lambda _: None
) -> Findings:
    """Read every piece, and try and explore every track, or `only` one; a broken part hides no fault of the others.

    `told` hears the name of each track before it is explored. Raises NotFoundError for an unknown track.
    """
    problems: list[str] = []
    catalogue = None
    try:
        catalogue = programme.catalogue
        problems += check_catalogue(catalogue, folder=programme.content)
    except ContentError as error:
        problems += str(error).splitlines()
    try:
        problems += programme.broken
        tracks = list(programme.tracks.values()) if only is None else [programme.tracks[only]]
    except TrackError as error:
        problems += str(error).splitlines()
        tracks = []
    explored: list[Explored] = []
    notes: list[str] = []
    if catalogue is not None:
        known = Known([name_of(each) for each in programme.activities], programme.tracks)
        for track in tracks:
            told(track.name)
            faults = try_out(track, catalogue, known)
            problems += faults
            if not faults:
                paths, wrong, worth = check_paths(track, catalogue)
                explored.append(paths)
                problems += wrong
                notes += worth
    pieces = 0 if catalogue is None else len(catalogue.pieces)
    return Findings(pieces, tuple(explored), tuple(dict.fromkeys(problems)), tuple(notes))


def check_paths(track: Track, catalogue: Catalogue) -> tuple[Explored, list[str], list[str]]:
    """Explore a track that keeps the rules: how far, what is wrong, what is worth knowing."""
    graph = explore(track, catalogue)
    ends: Collection[str] = {place.next.outcome for place in graph.places if place.next.kind == "finish"}
    explored = Explored(track.name, len(graph.places), graph.decisions, tuple(sorted(ends)), graph.whole)
    return explored, [str(fault) for fault in faults_of(track, catalogue, graph)], topics_without(catalogue, graph)
