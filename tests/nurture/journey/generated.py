"""Generated tracks and generated lives: what the laws of `plan` are held to.

A track is a small program, interpreted by an async function; a life is what happens to a lead on it, by chance.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from hypothesis import strategies as st

from nurture.bench.life import Life, Turn
from nurture.journey.decision import AnyNext, Finish, Park
from nurture.journey.facts import (
    AnyFact,
    Behaved,
    Deferred,
    Done,
    Enrolled,
    Exited,
    Overridden,
    Paused,
    Resumed,
    Scored,
)
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import Matcher, converted, link_clicked, opted_out, page_viewed
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.sales import hand_to_sales
from nurture.journey.track import Track
from tests.journals import START, on_track, pieces

CATALOGUE = pieces("p1", "p2", "p3", "p4")


@dataclass(frozen=True)
class Step:
    """One statement of a program: a step, or a branch or bounded loop over further statements."""

    does: str
    subject: str = ""
    days: int | None = None
    until: Matcher | None = None
    at_least: int = 0
    then: tuple["Step", ...] = ()
    otherwise: tuple["Step", ...] = ()


async def interpret(lead: Lead, program: tuple[Step, ...]) -> None:  # noqa: C901, PLR0912 - one case a statement
    """Run a program over a lead."""
    for step in program:
        match step.does:
            case "send":
                await lead.send(step.subject)
            case "alert":
                await lead.alert(step.subject)
            case "wait":
                await lead.wait(days=step.days, until=step.until)
            case "cadence":
                await lead.wait(lead.cadence(), until=step.until)
            case "choose":
                if await lead.choose(step.subject) == "treatment":
                    await interpret(lead, step.then)
            case "piece":
                if piece := await lead.next_piece(lead.stage):
                    await lead.send(piece)
            case "if met":
                met = await lead.wait(days=step.days, until=step.until)
                await interpret(lead, step.then if met else step.otherwise)
            case "if score":
                await interpret(lead, step.then if lead.score >= step.at_least else step.otherwise)
            case "if has":
                asked = lead.has(step.until or link_clicked(), within=timedelta(days=step.days or 5))
                await interpret(lead, step.then if asked else step.otherwise)
            case "if times":
                often = lead.times(step.until or link_clicked()) >= step.at_least // 20
                await interpret(lead, step.then if often else step.otherwise)
            case "while":
                for _ in range(3):
                    if lead.score >= step.at_least:
                        break
                    await interpret(lead, step.then)
            case "sales":
                await hand_to_sales(lead)


async def nothing(lead: Lead) -> Outcome:
    return nurtured


BASE = on_track(nothing, exits_on=(opted_out, converted), graduates_at=75)


def as_track(program: tuple[Step, ...], **rules: object) -> Track:
    """A program as a track that opt-outs and purchases end, and a score of 75 graduates."""

    async def story(lead: Lead) -> Outcome:
        await interpret(lead, program)
        return nurtured

    return replace(BASE, function=story, **rules)  # type: ignore[arg-type]


names = st.sampled_from(["a", "b", "c"])
days = st.integers(0, 12)
matchers = st.sampled_from([link_clicked(), link_clicked("a"), page_viewed("/p*"), page_viewed() | link_clicked("b")])
scores = st.sampled_from([20, 40, 60, 80])
simple = st.one_of(
    st.builds(Step, st.just("send"), names),
    st.builds(Step, st.just("alert"), names),
    st.builds(Step, st.just("wait"), days=days, until=st.none() | matchers),
    st.builds(Step, st.just("wait"), until=matchers),
    st.builds(Step, st.just("cadence"), until=matchers),
    st.builds(Step, st.just("piece")),
)


def _nested(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    block = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Step, st.just("if met"), days=days, until=matchers, then=block, otherwise=block),
        st.builds(Step, st.just("if score"), at_least=scores, then=block, otherwise=block),
        st.builds(Step, st.just("if has"), days=days, until=matchers, then=block, otherwise=block),
        st.builds(Step, st.just("if times"), until=matchers, at_least=scores, then=block, otherwise=block),
        st.builds(Step, st.just("while"), at_least=scores, then=block),
        st.builds(Step, st.just("choose"), names, then=block),
        st.just(Step("sales")),
    )


programs = st.lists(st.recursive(simple, _nested, max_leaves=6), min_size=1, max_size=6).map(tuple)
tracks = st.builds(as_track, programs, graduates_at=st.sampled_from([None, 75, 75]))
lives = st.integers(0, 2**32).map(Random)

HAPPENS = (
    ("email.clicked", "a"),
    ("email.clicked", "b"),
    ("page.viewed", "/pricing"),
    ("page.viewed", "/blog"),
    ("email.opened", "a"),
    ("sales.accepted", ""),
    ("sales.rejected", "not now"),
)


def happens(chance: Random, now: datetime, *, paused: bool) -> AnyFact:
    """Something that the world, or a person, does to a lead now; behaviours may arrive late."""
    rolled = chance.random()
    if rolled < 0.55:
        name, subject = chance.choice(HAPPENS)
        late = timedelta(days=chance.choice((0, 0, 0, 1, 4)))
        return Behaved(max(START, now - late), str(chance.random()), name, subject)
    if rolled < 0.85:
        return Scored(now, chance.randint(0, 100), chance.choice(("awareness", "consideration")))
    if rolled < 0.93 or paused:
        return Resumed(now) if paused else Paused(now)
    if rolled < 0.98:
        return Overridden(now)
    return Behaved(now, "end", *chance.choice((("lead.opted_out", ""), ("deal.won", ""))))


def carried_out(chance: Random, step: AnyNext, now: datetime) -> AnyFact:
    """What becomes of a step: mostly it succeeds, sometimes it is put off or refused."""
    assert not isinstance(step, Park | Finish)
    rolled = chance.random()
    if rolled < 0.2 and step.kind == "send":
        return Deferred(now, step.key, now + timedelta(days=chance.randint(1, 3)), "caps")
    if rolled < 0.3:
        return Done(now, step.key, "refused", "no consent")
    return Done(now, step.key, step.expected)


def live(
    track: Track, chance: Random, journal: Journal | None = None, now: datetime = START, turns: int = 40
) -> Iterator[Turn]:
    """A life by chance, turn by turn; ends with the journey."""
    journal = journal or Journal([Enrolled(START, "L1", score=chance.randint(0, 60), traits={"topic": "any"})])
    life = Life(track, journal, now=now, catalogue=CATALOGUE)
    for _ in range(turns):
        yield life.decide()
        following = life.next
        if isinstance(following, Finish):
            return
        if chance.random() < 0.15:
            life.advance(life.now + timedelta(hours=chance.randint(1, 80)))
        if not isinstance(following, Park):
            if chance.random() < 0.2:
                life.record(happens(chance, life.now, paused=life.journal.paused))
            else:
                life.record(carried_out(chance, following, life.now))
        elif following.until is not None and chance.random() < 0.5:
            life.advance(following.until)
        else:
            life.advance(life.now + timedelta(hours=chance.randint(1, 100)))
            some = [happens(chance, life.now, paused=life.journal.paused) for _ in range(chance.randint(1, 3))]
            # Most of what happens wakes nobody: it is recorded, and looked at by no rule that interrupts.
            if chance.random() < 0.3 and not any(isinstance(fact, Scored) for fact in some):
                life.note(*(fact for fact in some if fact.kind == "behaved" and fact.id != "end"))
            else:
                life.record(*some)


def person_ends(journal: Journal, now: datetime) -> Journal:
    """The journal once a person has ended the journey."""
    return journal.after([Exited(now, "a person ended it")])
