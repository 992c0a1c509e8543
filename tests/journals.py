"""Shared by the tests of the core: short ways to write moments, facts and journals, and a lead to drive."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from nurture.bench.life import Event, Life, QuietWorld, succeeded
from nurture.content.catalogue import Catalogue, parse_piece
from nurture.journey.decision import AnyStep, Decision, Park, Send
from nurture.journey.facts import AnyFact, Behaved, Done, Enrolled, Scored
from nurture.journey.journal import Journal
from nurture.journey.plan import NO_CONTENT
from nurture.journey.track import Track, track

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(days: float = 0) -> datetime:
    """That many days after the start."""
    return START + timedelta(days=days)


def enrolled(score: int = 10, stage: str = "awareness", **traits: str) -> Enrolled:
    """The lead enters at the start."""
    return Enrolled(START, "L1", score=score, stage=stage, traits=traits)


def sent(day: float, piece: str) -> Done:
    """A piece was sent on a day."""
    return Done(at(day), f"send:{piece}", "sent")


def clicked(day: float, piece: str) -> Behaved:
    """The lead clicked a link in a piece on a day."""
    return Behaved(at(day), f"click-{piece}-{day}", "email.clicked", piece)


def did(day: float, name: str, subject: str = "") -> Behaved:
    """Any behaviour on a day."""
    return Behaved(at(day), f"{name}-{day}", name, subject)


def scored(day: float, score: int, stage: str = "awareness") -> Scored:
    """The score changed on a day."""
    return Scored(at(day), score, stage)


def journal(*facts: AnyFact, score: int = 10) -> Journal:
    """Enrolled at the start, then these facts, all of them looked at by an earlier decision."""
    return Journal().after([enrolled(score), *facts])


def pieces(*ids: str, stage: str = "awareness", body: str = "Hello.") -> Catalogue:
    """A catalogue of plain pieces for one stage, in this order."""
    text = "---\nsubject: S\npreheader: P\nstage: {}\nformat: education\norder: {}\n---\n{}\n"
    return Catalogue({id_: parse_piece(id_, text.format(stage, n, body)) for n, id_ in enumerate(ids, 1)})


@dataclass
class Journey:
    """A lead on a track where every step succeeds: `decide` takes one decision, `go` lives on until a day."""

    track: Track
    journal: Journal = field(default_factory=lambda: Journal([enrolled()]))
    now: datetime = START
    catalogue: Catalogue = NO_CONTENT
    sends: list[tuple[float, str]] = field(default_factory=list)

    def decide(self, *heard: AnyFact) -> Decision:
        """What comes next, after hearing these; what was derived is recorded."""
        life = Life(self.track, self.journal, now=self.now, catalogue=self.catalogue)
        life.record(*heard)
        decision = life.decide().decision
        self.journal, self.now = life.journal, life.now
        return decision

    def go(self, day: float, *heard: Event) -> Decision:
        """Carry out, with success, all that is due until the end of this day, hearing facts when they happen."""
        world = _Succeeding(self.sends, sorted(heard, key=lambda fact: fact.at))
        life = Life(self.track, self.journal, world, self.now, self.catalogue)
        life.live(until=at(day))
        self.journal, self.now = life.journal, life.now
        assert life.decision is not None
        return life.decision

    def edited(self, story: Callable[..., object] | Track, **rules: object) -> "Journey":
        """The same lead, its track's code edited; its sends are counted from here."""
        new = story if isinstance(story, Track) else replace(self.track, function=story, **rules)  # type: ignore[arg-type]
        return Journey(new, self.journal, self.now, self.catalogue)

    @property
    def keys(self) -> list[str]:
        """The keys of everything recorded, in order."""
        return [fact.key for fact in self.journal if hasattr(fact, "key")]


@dataclass
class _Succeeding(QuietWorld):
    """Every step succeeds, sends are counted, and these events happen when they say."""

    sends: list[tuple[float, str]]
    heard: list[Event]

    def answer(self, step: AnyStep, now: datetime) -> Done:
        if isinstance(step, Send):
            self.sends.append(((now - START) / timedelta(days=1), step.piece))
        return succeeded(step, now)

    def next_event(self, park: Park, now: datetime, by: datetime | None) -> Event | None:
        return self.heard.pop(0) if self.heard and (by is None or self.heard[0].at <= by) else None


def on_track(story: Callable[..., object], **rules: object) -> Track:
    """A story as a track called `test`."""
    return track("test", **rules)(story)  # type: ignore[arg-type]


def kinds(facts: Iterable[AnyFact]) -> list[str]:
    """The kinds of some facts."""
    return [fact.kind for fact in facts]
