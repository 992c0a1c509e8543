"""Life: facts are recorded as the workflow and its activities record them, whatever world is plugged in."""

from dataclasses import dataclass, field
from datetime import datetime

from nurture.bench.life import Event, Life, QuietWorld, failed, put_off, refused
from nurture.journey.decision import AnyStep, Finish, Park
from nurture.journey.facts import Deferred, Done, Paused, Resumed, Scored
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, opted_out, page_viewed
from nurture.journey.outcomes import Outcome, nurtured
from tests.journals import at, clicked, did, enrolled, kinds, on_track, scored, sent


@dataclass
class Script(QuietWorld):
    """A world that is written down: answers by the step's piece, events in order, and the score from a day on."""

    answers: dict[str, list[Done | Deferred | Event]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    points: list[tuple[float, int]] = field(default_factory=list)

    def answer(self, step: AnyStep, now: datetime) -> Done | Deferred | Event:
        planned = self.answers.get(step.key)
        return planned.pop(0) if planned else super().answer(step, now)

    def next_event(self, park: Park, now: datetime, by: datetime | None) -> Event | None:
        return self.events.pop(0) if self.events and (by is None or self.events[0].at <= by) else None

    def score(self, now: datetime) -> Scored | None:
        known = [score for day, score in self.points if at(day) <= now]
        return Scored(now, known[-1], "awareness") if known else None


async def two_pieces(lead: Lead) -> Outcome:
    await lead.send("a")
    if await lead.wait(days=7, until=link_clicked("a")):
        await lead.send("b")
    return nurtured


TWO_PIECES = on_track(two_pieces)
WATCHED = on_track(two_pieces, exits_on=(opted_out,), graduates_at=75)


def lived(world: QuietWorld, until: float | None = None) -> Life:
    """A life from the enrolment to its end, or until a day."""
    life = Life(TWO_PIECES, Journal([enrolled()]), world)
    life.live(until=None if until is None else at(until))
    return life


def test_in_a_quiet_world_every_step_succeeds_and_every_wait_ends_by_time() -> None:
    """Each fact at its moment."""
    life = lived(QuietWorld())
    assert [(fact.kind, fact.at) for fact in life.journal if fact.kind in {"done", "waited", "finished"}] == [
        ("done", at(0)),
        ("waited", at(7)),
        ("finished", at(7)),
    ]
    assert life.next == Finish("nurtured")


def test_a_turn_is_a_decision_with_the_journal_and_the_moment_it_was_taken_over() -> None:
    """The steps that a turn asks for are carried out when the next one is."""
    life = Life(TWO_PIECES, Journal([enrolled()]), QuietWorld())
    turns = list(life.turns())
    assert [turn.at for turn in turns] == [at(0), at(0), at(7)]
    assert [turn.decision.next.kind for turn in turns] == ["send", "park", "finish"]
    assert turns[0].journal == Journal([enrolled()])
    assert turns[1].journal.facts[-1] == sent(0, "a")


def test_a_behaviour_that_ends_no_rest_is_recorded_without_a_decision() -> None:
    """And looked at: no rule that interrupts comes back to it."""
    life = Life(
        WATCHED, Journal([enrolled()]), Script(events=[did(1, "page.viewed", "/"), did(2, "email.opened", "a")])
    )
    turns = list(life.turns(until=at(3)))
    assert len(turns) == 2
    assert life.journal.facts[-2:] == (did(1, "page.viewed", "/"), did(2, "email.opened", "a"))
    assert life.journal.decided == len(life.journal)


def test_a_behaviour_that_is_listened_for_ends_the_rest_with_the_score_taken_again() -> None:
    """In this order: the behaviour, the score, the decision."""
    life = lived(Script(events=[clicked(2, "a")], points=[(0, 10), (2, 18)]))
    assert life.journal.facts[life.journal.facts.index(clicked(2, "a")) + 1] == Scored(at(2), 18, "awareness")
    assert [fact.at for fact in life.journal if isinstance(fact, Done)] == [at(0), at(2)]


def test_a_behaviour_that_brings_the_score_to_the_threshold_ends_the_rest() -> None:
    """Though nothing listens for it."""
    life = Life(WATCHED, Journal([enrolled()]), Script(events=[did(3, "page.viewed", "/x")], points=[(3, 80)]))
    life.live(until=at(4))
    assert "graduated" in kinds(life.journal)


def test_the_score_is_recorded_only_if_it_changed() -> None:
    """It is ten at the enrolment, and ten when the wait ends."""
    assert not any(isinstance(fact, Scored) for fact in lived(Script(points=[(0, 10)])).journal)
    assert Scored(at(7), 9, "awareness") in lived(Script(points=[(5, 9)])).journal.facts


def test_a_step_that_was_put_off_is_done_at_its_time() -> None:
    """Asked again when the deferral is over."""
    step = Life(TWO_PIECES, Journal([enrolled()])).decide().decision.next
    assert not isinstance(step, Park | Finish)
    life = lived(Script(answers={"send:a": [put_off(step, at(0), at(2), "quiet hours")]}), until=3)
    assert [(fact.kind, fact.at) for fact in life.journal if fact.kind in {"deferred", "done"}] == [
        ("deferred", at(0)),
        ("done", at(2)),
    ]


def test_a_refused_or_failed_step_is_settled_and_the_lead_goes_on() -> None:
    """The reason is kept."""
    step = Life(TWO_PIECES, Journal([enrolled()])).decide().decision.next
    assert not isinstance(step, Park | Finish)
    for answer, reason in ((refused(step, at(0), "no consent"), "no consent"), (failed(step, at(0), "E"), "failed: E")):
        life = lived(Script(answers={"send:a": [answer]}))
        assert [fact.reason for fact in life.journal if isinstance(fact, Done)] == [reason]
        assert life.next == Finish("nurtured")


def test_what_happens_before_a_step_is_carried_out_is_decided_about_first() -> None:
    """An opt-out while a send is being tried: the send is never done."""
    life = Life(WATCHED, Journal([enrolled()]), Script(answers={"send:a": [did(0, "lead.opted_out")]}))
    life.live()
    assert life.next == Finish("exited: opted out")
    assert "done" not in kinds(life.journal)


def test_time_stands_still_while_a_person_has_paused_the_journey() -> None:
    """Three days of pause move the end of the wait by three days."""
    life = lived(Script(events=[Paused(at(1)), Resumed(at(4))]))
    assert next(fact.at for fact in life.journal if fact.kind == "waited") == at(10)


def test_a_life_ends_at_its_moment_and_goes_on_from_there() -> None:
    """Nothing is recorded beyond it, and going on decides nothing twice."""
    life = lived(Script(points=[(7, 5)]), until=5)
    assert life.now == at(5)
    assert life.journal.last_at == at(0)
    assert [turn.at for turn in life.turns(until=at(8))] == [at(7)]


def test_without_a_moment_a_life_ends_at_a_rest_that_nothing_ends() -> None:
    """A wait without a limit, in silence."""

    async def story(lead: Lead) -> Outcome:
        await lead.wait(until=page_viewed())
        return nurtured

    life = Life(on_track(story), Journal([enrolled()]))
    life.live()
    assert isinstance(life.next, Park)


def test_an_event_is_heard_where_the_lead_stands() -> None:
    """Noted at a rest that it does not end, decided about at one that it does, ignored after the end."""
    life = Life(TWO_PIECES, Journal([enrolled()]), QuietWorld())
    life.live(until=at(1))
    life.hear(did(1, "page.viewed", "/"))
    assert list(life.turns(until=at(1))) == []
    life.hear(clicked(1, "a"))
    assert [turn.at for turn in life.turns(until=at(1))] == [at(1), at(1)]
    before = life.journal
    life.hear(did(2, "page.viewed", "/"))
    assert life.journal is before


def test_a_driver_may_add_facts_between_two_turns() -> None:
    """Recorded facts are decided about, noted ones are not."""
    life = Life(WATCHED, Journal([enrolled()]), QuietWorld())
    for _ in life.turns(until=at(1)):
        pass
    life.note(scored(1, 80))
    assert list(life.turns(until=at(2))) == []
    life.record(scored(2, 90))
    (first, *_) = life.turns(until=at(2))
    assert "graduated" in kinds(first.decision.facts)
