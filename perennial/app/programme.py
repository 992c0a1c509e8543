"""The programme: what a company writes for itself. Its tracks, content, scoring, and activities of its own."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from nurture.content.catalogue import Catalogue
from nurture.content.folder import load_catalogue
from nurture.errors import InputError, NotFoundError
from nurture.journey.own import is_activity, name_of, signature_faults
from nurture.journey.track import Registry, Track, load_tracks, say_broken
from nurture.people.scoring import DEFAULT_MODEL, ScoringModel
from nurture.segments.asked import segments_asked
from nurture.segments.entered import segments_entered
from nurture.segments.named import Segments, segments_in
from perennial.platform.paths import PROGRAMME, package_folder
from perennial.platform.settings import Settings

TAKEN = {"advance", "send", "hand_off", "alert", "enrol", "sweep", "None"}
"""The names of the activities that are ours; `None` is of one marked dynamic."""

SHIPPED_ACTIVITIES = "activities.own"
"""Where the activities of the shipped programme stand; those of another are its `activities`."""


SHOWN = "new-lead"
"""The track of the shipped programme that the documents tell of."""


@dataclass(frozen=True)
class Programme:
    """A programme: a Python package with `tracks/` and, if it likes, `segments.py` and `activities/`; and content.

    Each part is loaded when it is first asked for, and once.
    """

    content: Path
    package: str = PROGRAMME
    scoring: ScoringModel = DEFAULT_MODEL

    @cached_property
    def tracks(self) -> Registry:
        """Every track, by name; what is wrong with files that hold none is in its `broken`."""
        place = (package_folder(self.package) or Path(self.package)) / "tracks"
        if not place.is_dir():
            return Registry((), (f"{place}: no such folder; make it, with one Python file a track",))
        loaded = load_tracks(f"{self.package}.tracks")
        sound: list[Track] = []
        broken: list[str] = []
        for each in loaded.values():
            try:
                segments_asked(each, self.segments)
                for name in segments_entered(each):
                    _require_segment(each, name, self.segments)
                sound.append(each)
            except InputError as error:
                broken += str(error).splitlines()
        return Registry(tuple(sound), (*loaded.broken, *broken)) if broken else loaded

    @cached_property
    def segments(self) -> Segments:
        """Every segment of its `segments.py`, by name; what is wrong with the file is in its `broken`."""
        name = f"{self.package}.segments"
        folder = package_folder(self.package)
        if folder is None or not (folder / "segments.py").exists():
            return Segments()
        try:
            return Segments(segments_in(importlib.import_module(name)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the rest of the programme is read
            return Segments(broken=tuple(say_broken(name, error)))

    @cached_property
    def catalogue(self) -> Catalogue:
        """Every content piece. Raises ContentError."""
        return load_catalogue(self.content)

    @cached_property
    def activities(self) -> tuple[Callable[..., Any], ...]:
        """The functions marked `@activity.defn` that `lead.do(...)` can call."""
        return self._own[0]

    @property
    def broken(self) -> tuple[str, ...]:
        """Which of its files cannot be used, a line each with what to do; the others can."""
        return tuple(dict.fromkeys((*self.tracks.broken, *self.segments.broken, *self._own[1])))

    @cached_property
    def _own(self) -> tuple[tuple[Callable[..., Any], ...], tuple[str, ...]]:
        package = SHIPPED_ACTIVITIES if self.package == PROGRAMME else f"{self.package}.activities"
        modules: list[ModuleType] = []
        broken: list[str] = []
        for name in _modules_below(package):
            try:
                modules.append(importlib.import_module(name))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the other files are read
                broken += say_broken(name, error)
        found: dict[str, Callable[..., Any]] = {}
        for module in modules:
            for _, function in inspect.getmembers(module, is_activity):
                name = name_of(function)
                faults = list(signature_faults(function))
                if name in TAKEN or found.get(name, function) is not function:
                    faults.append(f"{module.__file__}: another activity is called {name!r}; give this one its own name")
                broken += faults
                if not faults:
                    found[name] = function
        return tuple(found.values()), tuple(dict.fromkeys(broken))


def _require_segment(track: Track, name: str, known: Segments) -> None:
    try:
        known[name]
    except NotFoundError as error:
        raise InputError(f"{track.where}: enters by segment: {error}; what is swept stands in segments.py") from None


def _modules_below(package: str) -> list[str]:
    """A package and its modules, by name; none if it is not there."""
    folder = package_folder(package)
    if folder is None:
        return []
    return [package, *(f"{package}.{info.name}" for info in pkgutil.iter_modules([str(folder)]))]


def programme_of(settings: Settings) -> Programme:
    """The programme that the settings name."""
    return Programme(content=settings.content_dir, package=settings.programme)


def track_to_try(settings: Settings) -> str:
    """The track that a first command is shown with, `TRACK` if there is none: the shipped one, else the foremost."""
    tracks = programme_of(settings).tracks
    if SHOWN in tracks:
        return SHOWN
    return max(tracks.values(), key=lambda track: track.priority).name if tracks else "TRACK"
