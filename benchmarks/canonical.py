"""The canonical journey: 12 sends, 13 waits and 20 behaviours over six months, and its timetable.

The timetable comes from a rehearsal with `plan` alone, so that the driver and the journeys written by hand follow the
same dates as the track.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache

from nurture.content.catalogue import STAGES, Catalogue, parse_piece
from nurture.gate import Caps
from nurture.journey.decision import Finish, Park, Send
from nurture.journey.facts import AnyFact, Behaved, Done, Enrolled, Scored
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import disqualified, link_clicked, opted_out, page_viewed, unreachable
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.patterns import hears
from nurture.journey.plan import plan
from nurture.journey.track import track
from nurture.people.scoring import DEFAULT_MODEL, ScoreLine
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


def pace(lead: Lead) -> timedelta:
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
    """The thirteen waits, rehearsed with `plan`."""
    start = datetime(2026, 1, 5, 10, tzinfo=UTC)
    legs: list[Leg] = []
    entries: list[ScoreLine] = []
    journal = Journal([first_fact("rehearsal", start)])
    now, piece, number = start, "", 0
    waiting: tuple[timedelta, Park, list[Act]] | None = None
    while True:
        decision = plan(canonical, journal, now, catalogue())
        journal = journal.after(decision.facts)
        following = decision.next
        if waiting is not None:
            began, park, done = waiting
            assert park.until is not None
            send = following if isinstance(following, Send) else None
            length = park.until - start - began
            key, sends = (send.key, send.piece) if send else (None, None)
            legs.append(Leg(began, length, park.listens, tuple(done), now - start, key, sends))
            waiting = None
        if isinstance(following, Finish):
            return tuple(legs)
        if isinstance(following, Send):
            piece = following.piece
            journal = journal.extended([Done(now, following.key, "sent")])
            continue
        assert isinstance(following, Park)
        assert following.until is not None
        began = now - start
        acts: list[Act] = []
        places, until = PLACES[len(legs)], following.until
        end = until
        for part, name, subject in places:
            number += 1
            at = now + (until - now) * part
            about = subject or piece
            entries += DEFAULT_MODEL.engagement_entries(f"{number}", name, about, at)
            ends = hears(following.listens, name, about)
            acts.append(Act(at - start, name, about, DEFAULT_MODEL.score(entries, at).total, ends))
            journal = journal.extended([Behaved(at, f"{number}", name, about)])
            if ends:
                end = at
                break
            journal.decided = len(journal)
        now = end
        news = _scored(entries, journal, now)
        journal = journal.extended(news)
        waiting = (began, following, acts)


def first_fact(lead: str, at: datetime) -> Enrolled:
    """How a journal of the canonical journey begins."""
    return Enrolled(at=at, lead=lead, cause="benchmark", traits=TRAITS)


def _scored(entries: list[ScoreLine], journal: Journal, now: datetime) -> list[AnyFact]:
    score = DEFAULT_MODEL.score(entries, now)
    last = journal.facts[journal.scores[-1]]
    assert isinstance(last, Scored | Enrolled)
    return [] if (score.total, score.stage) == (last.score, last.stage) else [Scored(now, score.total, score.stage)]


def _text(stage: str, kind: str, order: int) -> str:
    return (
        f'---\nsubject: "A note on {{{{ topic }}}}, number {order}"\npreheader: "Something to try the same day."\n'
        f"stage: {stage}\ntopic: any\nindustry: any\nformat: {kind}\norder: {order}\n---\n\n"
        "Hello {{ first_name }},\n\n"
        + "One idea on {{ topic }} at a time, something you can try today, in a few minutes of reading.\n\n" * 8
        + "[Read on](https://www.northwind.example/library)\n\nWarm regards,\\\n**Maya** at Northwind\n"
    )
