"""The canonical journey: 12 sends, 13 waits and 20 behaviours over six months, and its timetable.

The timetable comes from a life in memory, so that the driver and the journeys written by hand follow the
same dates as the track.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import pairwise

from nurture.bench.life import Life, QuietWorld, succeeded
from nurture.bench.scorecard import Scorecard
from nurture.content.catalogue import STAGES, Catalogue, parse_piece
from nurture.gate import Caps
from nurture.journey.decision import AnyStep, Park, Send
from nurture.journey.facts import Behaved, Done, Enrolled, Scored
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import disqualified, link_clicked, opted_out, page_viewed, unreachable
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.patterns import hears
from nurture.journey.reads import Length
from nurture.journey.track import track
from nurture.timing.calendar import SendWindow

LESSONS = 11
TRAITS = {"topic": "any", "industry": "any"}


@track(
    "canonical",
    exits_on=(opted_out, unreachable, disqualified),
    graduates_at=75,
    caps=Caps(per_day=99, per_week=99, per_month=99),
    quiet_hours=SendWindow(time.min, time.min, frozenset(range(7))),
)
async def canonical(lead: Lead) -> Outcome:
    """A welcome the day after, then eleven pieces by stage, at the lead's own pace; no hour is quiet, no cap binds."""
    await lead.wait(days=1)
    await lead.send("welcome")
    await lead.wait(days=7, until=link_clicked("welcome"))
    for _ in range(LESSONS):
        piece = await lead.next_piece(lead.stage)
        if piece is None:
            break
        await lead.send(piece)
        await lead.wait(pace(lead), until=link_clicked(piece) | page_viewed("/pricing*"))
    return nurtured


def pace(lead: Lead) -> timedelta | Length:
    """Every 24 days; for a lead that has warmed, twice its own cadence."""
    return timedelta(days=24) if lead.stage == "awareness" else lead.cadence() * 2


CLICK = "email.clicked"
PLACES: tuple[tuple[tuple[float, str, str], ...], ...] = (
    (),
    ((0.2, "email.opened", ""), (0.5, CLICK, "")),
    ((0.2, "page.viewed", "/blog/forecasts"), (0.4, "page.viewed", "/blog/ranges")),
    ((0.2, "email.opened", ""), (0.4, "page.viewed", "/about")),
    ((0.2, "email.opened", ""), (0.5, CLICK, "")),
    ((0.3, "page.viewed", "/customers"),),
    ((0.2, "email.opened", ""), (0.4, "page.viewed", "/blog/teams")),
    ((0.3, "page.viewed", "/events"),),
    ((0.2, "form.submitted", "newsletter"), (0.5, "page.viewed", "/pricing")),
    ((0.5, CLICK, ""),),
    ((0.2, "email.opened", ""), (0.5, CLICK, "")),
    ((0.3, "page.viewed", "/blog/quality"), (0.45, "page.viewed", "/about")),
    ((0.3, "page.viewed", "/contact"),),
)
"""What the lead does in each wait: after which part of the wait, the behaviour, its subject (empty: the last piece)."""


@dataclass(frozen=True, slots=True)
class Act:
    """One behaviour of the timetable: how long after the enrolment, and the lead's score with it."""

    after: timedelta
    name: str
    subject: str
    score: int
    ends: bool


@dataclass(frozen=True, slots=True)
class Leg:
    """One wait, what happens in it, and the send that follows (none after the last). Times count from the enrolment."""

    start: timedelta
    length: timedelta
    listens: tuple[str, ...]
    acts: tuple[Act, ...]
    sent_after: timedelta
    key: str | None
    piece: str | None


@cache
def catalogue() -> Catalogue:
    """A welcome, and enough pieces for any stage, each as long as a real one."""
    pieces = {"welcome": parse_piece("welcome", _text("awareness", "welcome", 1))}
    for stage in STAGES:
        for number in range(1, LESSONS + 1):
            name = f"{stage}-{number:02d}"
            pieces[name] = parse_piece(name, _text(stage, "education", number))
    return Catalogue(pieces)


@cache
def timetable() -> tuple[Leg, ...]:
    """The thirteen waits, lived in memory."""
    start = datetime(2026, 1, 5, 10, tzinfo=UTC)
    world = TimetabledWorld(start)
    turns = list(Life(canonical, Journal([first_fact("rehearsal", start)]), world, catalogue=catalogue()).turns())
    legs: list[Leg] = []
    for turn, after in pairwise(turns):
        park, following = turn.decision.next, after.decision.next
        if isinstance(park, Park):
            assert park.until is not None
            key, piece = (following.key, following.piece) if isinstance(following, Send) else (None, None)
            acts = tuple(world.acts[len(legs)])
            legs.append(Leg(turn.at - start, park.until - turn.at, park.listens, acts, after.at - start, key, piece))
    return tuple(legs)


class TimetabledWorld(QuietWorld):
    """A lead who does in each wait what `PLACES` says; `acts` are what it did, by wait."""

    def __init__(self, start: datetime) -> None:
        self.acts: list[list[Act]] = []
        self._start = start
        self._card = Scorecard({}, start)
        self._park: Park | None = None
        self._piece = ""
        self._left: list[Behaved] = []
        self._number = 0

    def answer(self, step: AnyStep, now: datetime) -> Done:
        """Every step succeeds."""
        if isinstance(step, Send):
            self._piece = step.piece
        return succeeded(step, now)

    def next_event(self, park: Park, now: datetime, by: datetime | None) -> Behaved | None:  # noqa: ARG002 - the protocol's
        """The next behaviour of this wait; the last is the one that ends it."""
        if park is not self._park:
            self._begin(park, now)
        if not self._left:
            return None
        behaved = self._left.pop(0)
        self._card.add(behaved)
        ends = hears(park.listens, behaved.name, behaved.subject)
        score = self._card.score(behaved.at).score
        self.acts[-1].append(Act(behaved.at - self._start, behaved.name, behaved.subject, score, ends))
        return behaved

    def score(self, now: datetime) -> Scored:
        """The score by the rules."""
        return self._card.score(now)

    def _begin(self, park: Park, now: datetime) -> None:
        assert park.until is not None
        self._park = park
        self._left = []
        for part, name, subject in PLACES[len(self.acts)]:
            self._number += 1
            at = now + (park.until - now) * part
            self._left.append(Behaved(at, f"{self._number}", name, subject or self._piece))
        self.acts.append([])


def first_fact(lead: str, at: datetime) -> Enrolled:
    """How a journal of the canonical journey begins."""
    return Enrolled(at=at, lead=lead, cause="benchmark", traits=TRAITS)


def _text(stage: str, kind: str, order: int) -> str:
    return (
        f'---\nsubject: "A note on {{{{ topic }}}}, number {order}"\npreheader: "Something to try the same day."\n'
        f"stage: {stage}\ntopic: any\nindustry: any\nformat: {kind}\norder: {order}\n---\n\n"
        "Hello {{ first_name }},\n\n"
        + "One idea on {{ topic }} at a time, something you can try today, in a few minutes of reading.\n\n" * 8
        + "[Read on](https://www.northwind.example/library)\n\nWarm regards,\\\n**Maya** at Northwind\n"
    )
