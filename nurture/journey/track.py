"""A track: an async function of a lead, with the rules that hold wherever the lead stands."""

import inspect
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from traceback import walk_tb
from types import MappingProxyType, ModuleType
from typing import Literal, get_args

from nurture.errors import NotFoundError, PerennialError, TrackError, close_names
from nurture.gate import Caps, GateRules
from nurture.journey.arguments import argument_faults
from nurture.journey.explaining.fingerprint import fingerprint
from nurture.journey.lead import Lead
from nurture.journey.matchers import Matcher
from nurture.journey.outcomes import Outcome, ReEntry
from nurture.journey.promises import Promise
from nurture.journey.rules import broken_rules, sources_of
from nurture.journey.sales import hand_to_sales
from nurture.journey.segment_reads import SegmentRead, segment_reads
from nurture.timing.calendar import SendWindow

Story = Callable[[Lead], Awaitable[Outcome]]
Delivery = Literal["at_most_once", "at_least_once"]
NO_EXIT = Matcher(())

LONGEST_NAME = 64
"""Characters of a track's name: it is part of the ids of its journeys."""


@dataclass(frozen=True)
class Track:
    """A nurture track. Made by `@track`; its function takes a lead and returns an Outcome.

    `enters_on` says which behaviours start it; `exits_on` which end it, wherever the lead stands; a score of
    `graduates_at` starts `on_graduation` in place of the present wait. `priority`: of two tracks that want to send to
    one lead, the higher one goes first. `caps` bound the touches of the lead over all its tracks; the hours outside the
    window `quiet_hours` (in the lead's own zone) are quiet. A send of unknown fate is left at that with `delivery`
    `at_most_once`; `at_least_once` sends it again if no webhook tells of it. `was`: the names it had before.
    `promises`: what holds on every path.
    """

    name: str
    function: Story
    enters_on: Matcher
    exits: Matcher
    graduates_at: int | None
    on_graduation: Story
    re_entry: ReEntry
    priority: int
    caps: Caps
    quiet_hours: SendWindow
    delivery: Delivery
    file: str
    line: int
    was: tuple[str, ...] = ()
    promises: tuple[Promise, ...] = ()

    @property
    def where(self) -> str:
        """File and line of the function."""
        return f"{self.file}:{self.line}"

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of its code: a journal that was explained by other code is explained again."""
        return fingerprint(self.function, self.on_graduation)

    @cached_property
    def segments(self) -> tuple[SegmentRead, ...]:
        """The segments that its code asks for."""
        stories = (self.function, self.on_graduation)
        return tuple(read for story in stories for read in segment_reads(sources_of(story)))

    @property
    def gate_rules(self) -> GateRules:
        """What the gate holds this track's sends to."""
        return GateRules(caps=self.caps, window=self.quiet_hours)

    @property
    def story(self) -> str:
        """The function's docstring: what the track does, in one paragraph."""
        return inspect.getdoc(self.function) or ""

    def require_rules(self) -> None:
        """Raise TrackError, a line each, for the rules that its source breaks.

        Helpers that stand below it in its file are read once the file is.
        """
        broken = dict.fromkeys((*broken_rules(self.function), *broken_rules(self.on_graduation)))
        if broken:
            raise TrackError("\n".join(broken))

    @property
    def names(self) -> tuple[str, ...]:
        """Its name, and those it had before it was renamed."""
        return (self.name, *self.was)


def _require_name(name: str, where: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise TrackError(f"{where}: {name!r} is no track name; use lower-case words joined by hyphens")
    if len(name) > LONGEST_NAME:
        raise TrackError(f"{where}: a track's name has at most {LONGEST_NAME} characters: {name!r}")


def track(
    name: str,
    *,
    enters_on: Matcher = NO_EXIT,
    exits_on: tuple[Matcher, ...] = (),
    graduates_at: int | None = None,
    on_graduation: Story = hand_to_sales,
    re_entry: ReEntry = ReEntry.never(),  # noqa: B008 - a frozen value
    priority: int = 0,
    caps: Caps = Caps(),  # noqa: B008 - a frozen value
    quiet_hours: SendWindow = SendWindow(),  # noqa: B008 - a frozen value
    delivery: Delivery = "at_most_once",
    was: str | tuple[str, ...] = (),
    promises: tuple[Promise, ...] = (),
) -> Callable[[Story], Track]:
    """Make an async function of a lead a track called `name` (lower-case words joined by hyphens).

    `was`: the name, or names, that it had before it was renamed; its leads go on under the new one. `promises` is what
    `check` holds every path to (`nurture.journey.promises`).
    Raises TrackError, naming the line, if the function breaks the rules a track lives by.
    """
    if not isinstance(name, str):
        code = getattr(name, "__code__", None)
        where = f"{code.co_filename}:{code.co_firstlineno}: " if code else ""
        raise TrackError(f'{where}a track has a name; write @track("new-lead", ...) above its function')
    faults = list(argument_faults(locals()))

    def make(function: Story) -> Track:
        if not inspect.iscoroutinefunction(function):
            raise TrackError(f"{_place(function)}: a track is an `async def` of a lead, right below its @track")
        file = inspect.getsourcefile(function) or "?"
        line = function.__code__.co_firstlineno
        if faults:
            raise TrackError("\n".join(f"{file}:{line}: {fault}" for fault in faults))
        made = Track(
            name=name,
            function=function,
            enters_on=enters_on,
            exits=_joined(exits_on),
            graduates_at=graduates_at,
            on_graduation=on_graduation,
            re_entry=re_entry,
            priority=priority,
            caps=caps,
            quiet_hours=quiet_hours,
            delivery=delivery,
            file=file,
            line=line,
            was=(was,) if isinstance(was, str) else was,
            promises=promises,
        )
        for each in (name, *made.was):
            _require_name(each, made.where)
        if len(inspect.signature(function).parameters) != 1:
            raise TrackError(f"{made.where}: a track takes one argument, the lead")
        if graduates_at is not None and not 0 < graduates_at <= 100:
            raise TrackError(f"{made.where}: graduates_at is a score from 1 to 100, not {graduates_at}")
        if delivery not in get_args(Delivery):
            raise TrackError(f"{made.where}: delivery is {' or '.join(get_args(Delivery))}, not {delivery!r}")
        made.require_rules()
        return made

    return make


def _place(function: object) -> str:
    """Where a function, or what a decorator made of it, stands: `file:line`."""
    code = getattr(inspect.unwrap(function) if callable(function) else function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else "?"


def _joined(matchers: tuple[Matcher, ...]) -> Matcher:
    joined = NO_EXIT
    for matcher in matchers:
        joined |= matcher
    return joined


class Registry(Mapping[str, Track]):
    """The tracks that this installation runs, by name; `broken` says, a line each, which of its files hold none."""

    def __init__(self, tracks: tuple[Track, ...], broken: tuple[str, ...] = ()) -> None:
        self.broken = broken
        found: dict[str, Track] = {}
        for each in tracks:
            if each.name in found and found[each.name] is not each:
                raise TrackError(f"{each.where}: a track called {each.name!r} is already at {found[each.name].where}")
            found[each.name] = each
        self._tracks = MappingProxyType(dict(sorted(found.items())))
        former: dict[str, Track] = {}
        for each in self._tracks.values():
            for was in each.was:
                other = self._tracks.get(was) or former.get(was)
                if other is not None and other is not each:
                    raise TrackError(f"{each.where}: was={was!r}, and {other.where} is or was called so too")
                former[was] = each
        self._former = MappingProxyType(former)

    def __getitem__(self, name: str) -> Track:
        """The track of this name, or the one that had it before. Raises NotFoundError."""
        try:
            return self._tracks[name] if name in self._tracks else self._former[name]
        except KeyError:
            near = close_names(name, self._tracks)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(self._tracks) or 'none'}"
            broken = f"; {len(self.broken)} broken: {self.broken[0]}" if self.broken else ""
            raise NotFoundError(f"no track called {name!r}{hint}{broken}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._tracks or name in self._former

    def __iter__(self) -> Iterator[str]:
        return iter(self._tracks)

    def __len__(self) -> int:
        return len(self._tracks)

    def current(self, name: str) -> str:
        """The present name of a track, by one that it has or had; one that no track has or had, as it is."""
        return self[name].name if name in self else name


def load_tracks(package: str) -> Registry:
    """Every track defined in the modules of a package, `workflows.tracks`. One file a track; a new file is found.

    A file that is broken stops no other: the registry's `broken` says what is wrong with it.
    """
    try:
        root = import_module(package)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it is said like any other fault
        return Registry((), tuple(say_broken(package, error)))
    found: dict[str, Track] = {}
    broken: list[str] = []
    for info in sorted(iter_modules(root.__path__), key=lambda each: each.name):
        name = f"{package}.{info.name}"
        try:
            made = tracks_in(import_module(name))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the other files are read
            broken += say_broken(name, error)
            continue
        for each in made:
            try:
                each.require_rules()
                Registry((*found.values(), each))
                found[each.name] = each
            except TrackError as error:
                broken += str(error).splitlines()
    return Registry(tuple(found.values()), tuple(dict.fromkeys(broken)))


def say_broken(module: str, error: BaseException) -> list[str]:
    """What kept a module from being read, with file and line: the innermost that is its own package's."""
    if isinstance(error, TrackError):
        return str(error).splitlines()
    top = find_spec(module.partition(".")[0])
    folders = tuple(f"{each}{os.sep}" for each in (top.submodule_search_locations or ())) if top is not None else ()
    if isinstance(error, SyntaxError):
        return [f"{error.filename or module}:{error.lineno or 1}: {error.msg}; mend the line, or the one before it"]
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    file, line = next((each for each in reversed(frames) if each[0].startswith(folders)), (module, 1))
    text = str(error).splitlines()[0] if str(error) else ""
    said = (
        text if isinstance(error, PerennialError) else f"{type(error).__name__}: {text}; mend it, or take the file away"
    )
    return [f"{file}:{line}: {said}"]


def tracks_in(module: ModuleType) -> list[Track]:
    """The tracks defined in a module."""
    return [each for each in vars(module).values() if isinstance(each, Track)]
