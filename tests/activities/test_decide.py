"""decide: the decision and the read model in one transaction, the same however often it is tried."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.alert import AlertActivity
from activities.decide import DecideActivity
from activities.hand_off import HandOffActivity
from models.journeys import Alert, DecisionRow, Enrolment, HandOffRow
from models.leads import LeadRow, ScoreEntry
from models.messages import Decided, Deciding
from nurture.errors import NotFoundError
from nurture.journey.decision import AlertStep, Finish, Park, Send
from nurture.journey.decision import HandOff as HandOffStep
from nurture.journey.facts import Behaved, Chosen, Done, Enrolled, Exited, Overridden, Paused, Scored, Waited, Waiting
from nurture.journey.lead import Lead as TrackLead
from nurture.journey.matchers import opted_out
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import Registry, Track, track
from nurture.journey.wording import say_next
from nurture.people.scoring import DEFAULT_MODEL
from perennial.platform.database import Database
from tests.activities.room import ADA, at_wall, deciding, decisions, enrolled, journal, order
from tests.builders import only, rows, store
from tests.engine.rig import CATALOGUE, MONDAY, TRACKS

NEXT_WEEK = MONDAY + timedelta(days=7)
BEGIN = Enrolled(MONDAY, "ada", traits={"topic": "forecasting", "industry": "retail"})
WELCOMED = Done(MONDAY, "send:welcome", "sent")


@pytest.fixture
async def house(database: Database) -> Database:
    """Ada is on new-lead, on SQLite and on PostgreSQL."""
    await enrolled(database)
    return database


async def decide(database: Database, asked: Deciding, *tracks: Track) -> Decided:
    """Run `decide` as a worker does."""
    registry = Registry(tracks) if tracks else TRACKS
    activity = DecideActivity(database, registry, CATALOGUE, DEFAULT_MODEL)
    found: Decided = await ActivityEnvironment().run(activity.decide, asked)
    return found


@track("new-lead", exits_on=(opted_out,))
async def other_version(lead: TrackLead) -> Outcome:
    """The track as another version has it."""
    await lead.wait(days=3)
    await lead.send("best-of")
    return nurtured


async def test_the_first_decision_sends_and_foresees_the_wait_after_it(house: Database) -> None:
    """One answer holds the step, why, where the lead will rest, and what the UI's list will show then."""
    decided = await decide(house, deciding())
    assert decided.next == Send("send:welcome", "welcome")
    assert decided.because == ("enrolled",)
    assert decided.then is not None
    assert isinstance(decided.then.next, Park)
    assert (decided.then.next.key, decided.then.next.until) == ("send:welcome/wait", NEXT_WEEK)
    assert decided.shown == {"Stage": "awareness", "ScoreBand": "cold", "Step": "send:welcome/wait", "Paused": False}


async def test_a_decision_writes_the_facts_itself_and_the_head(house: Database) -> None:
    """Facts that came in and facts that were derived are numbered on from what was saved."""
    click = Behaved(NEXT_WEEK, "b1", "email.clicked", "welcome")
    asked = deciding(BEGIN, WELCOMED, click, now=NEXT_WEEK, saved=1, decided=2)
    decided = await decide(house, asked)
    waited, chosen, waiting = decided.facts
    assert isinstance(waited, Waited)
    assert isinstance(chosen, Chosen)
    assert isinstance(waiting, Waiting)
    assert (waited.by, waited.name, waited.subject) == ("behaviour", "email.clicked", "welcome")
    assert await journal(house) == [
        (1, WELCOMED),
        (2, click),
        (3, waited),
        (4, chosen),
        (5, waiting),
    ]
    assert await decisions(house) == [(3, "wait after send welcome")]
    head = await only(house, Enrolment)
    assert (head.status, head.step, head.next_at) == ("active", "send:welcome/wait~2", NEXT_WEEK + timedelta(days=7))
    assert head.because == list(decided.because)


async def test_decided_again_nothing_changes(house: Database) -> None:
    """A worker that dies after its commit and before its answer leaves what the next one writes."""
    asked = deciding(BEGIN, WELCOMED, now=NEXT_WEEK, saved=0, decided=2, rescore=True)
    first = await decide(house, asked)
    rows = await journal(house), await decisions(house)
    assert await decide(house, asked) == first
    assert (await journal(house), await decisions(house)) == rows


async def test_a_retry_in_another_version_replaces_what_the_first_try_wrote(house: Database) -> None:
    """The history holds the second answer, so the read model must: no fact of the first stays behind it."""
    asked = deciding(BEGIN, WELCOMED, now=NEXT_WEEK, decided=2)
    first = await decide(house, asked)
    assert len(await journal(house)) == 2 + len(first.facts) == 5
    second = await decide(house, asked, other_version)
    assert await journal(house) == list(enumerate([BEGIN, WELCOMED, *second.facts]))
    assert await decisions(house) == [(2, say_next(second.next))]


async def test_a_straggler_rewrites_nothing_that_was_decided_after_it(house: Database) -> None:
    """A worker that was thought dead wakes up late: the journal has gone on, and stays as it is."""
    late = deciding()
    await decide(house, late)
    await decide(house, deciding(BEGIN, WELCOMED, now=NEXT_WEEK, saved=1, decided=2))
    rows = await journal(house)
    await decide(house, late)
    assert await journal(house) == rows


async def test_a_decision_after_as_many_facts_replaces_the_one_before(house: Database) -> None:
    """A refresh adds no fact: what the new code says is what `why` must show."""
    await decide(house, deciding())
    await decide(house, deciding(), other_version)
    row = await only(house, DecisionRow)
    assert (row.seq, row.next, row.until) == (1, "wait after enrolment", MONDAY + timedelta(days=3))


async def test_the_score_is_taken_anew_and_comes_first(house: Database) -> None:
    """A spike in the ledger graduates the lead in the same decision; the lead's own row shows the score."""
    at = NEXT_WEEK
    entries = DEFAULT_MODEL.engagement_entries("b1", "demo.requested", "", at)
    entries += [
        entry for n in (2, 3) for entry in DEFAULT_MODEL.engagement_entries(f"b{n}", "email.replied", "welcome", at)
    ]
    rows = [
        ScoreEntry(lead_id="ada", rule=e.rule, behaviour_id=e.behaviour_id, points=e.points, reason=e.reason, at=e.at)
        for e in entries
    ]
    await store(house, *rows)
    decided = await decide(house, deciding(BEGIN, WELCOMED, now=at, decided=2, rescore=True))
    assert decided.facts[0] == Scored(at, 80, "decision")
    assert isinstance(decided.next, HandOffStep)
    assert decided.shown["ScoreBand"] == "mql"
    ada = await only(house, LeadRow)
    assert (ada.score, ada.stage, ada.band) == (80, "decision", "mql")


async def test_an_unchanged_score_is_no_fact(house: Database) -> None:
    """The journal grows by what happened, not by what was looked at."""
    decided = await decide(house, deciding(rescore=True))
    assert decided.facts == ()


async def test_a_pause_and_an_end_show_in_the_head(house: Database) -> None:
    """The list of journeys says paused, then finished, with the outcome and the moment."""
    paused = deciding(BEGIN, WELCOMED, Paused(NEXT_WEEK), now=NEXT_WEEK, decided=2)
    assert (await decide(house, paused)).shown["Paused"] is True
    assert (await only(house, Enrolment)).status == "paused"
    ended = replace_facts(paused, Exited(NEXT_WEEK, "moved away"))
    assert (await decide(house, ended)).next == Finish("exited: moved away")
    head = await only(house, Enrolment)
    assert (head.status, head.outcome, head.ended_at, head.next_at) == (
        "finished",
        "exited: moved away",
        NEXT_WEEK,
        None,
    )


def replace_facts(asked: Deciding, *more: Exited) -> Deciding:
    """The question with facts more."""
    facts = (*asked.facts, *more)
    return asked.model_copy(update={"facts": facts, "total": len(facts)})


async def test_an_override_ends_the_wait(house: Database) -> None:
    """A person's word counts as the end of the present wait."""
    asked = deciding(BEGIN, WELCOMED, Overridden(NEXT_WEEK - timedelta(days=3)), decided=2, now=NEXT_WEEK)
    decided = await decide(house, asked.model_copy(update={"now": NEXT_WEEK - timedelta(days=3)}))
    waited = decided.facts[0]
    assert isinstance(waited, Waited)
    assert (waited.at, waited.key, waited.by) == (NEXT_WEEK - timedelta(days=3), "send:welcome/wait", "override")


async def test_a_track_that_is_gone_is_named_and_nothing_is_written(house: Database) -> None:
    """The journeys of a removed track keep trying until it is back, or they are ended."""
    with pytest.raises(NotFoundError, match="no track called 'new-lead'"):
        await decide(house, deciding(), replace(other_version, name="other"))
    assert (await journal(house), await decisions(house)) == ([], [])


# hand_off and alert


async def test_a_hand_off_tried_twice_is_one_offer(house: Database) -> None:
    """Sales sees the lead once, with the score and the reason, and the journal has the step."""
    step = order(HandOffStep("hand_off:sales", "sales", "score 80"))
    for wall in (MONDAY, NEXT_WEEK):
        await ActivityEnvironment().run(HandOffActivity(house, at_wall(wall)).hand_off, step)
    offer = await only(house, HandOffRow)
    assert (offer.lead_id, offer.to, offer.reason, offer.at) == ("ada", "sales", "score 80", MONDAY)
    assert await journal(house) == [(1, Done(MONDAY, "hand_off:sales", "done"))]


async def test_an_alert_tried_twice_is_one_line(house: Database) -> None:
    """A person reads it once."""
    step = order(AlertStep("alert:sales is late", "sales is late"))
    for wall in (MONDAY, NEXT_WEEK):
        await ActivityEnvironment().run(AlertActivity(house, at_wall(wall)).alert, step)
    (alert,) = await rows(house, Alert)
    assert (alert.enrolment_id, alert.text, alert.at) == (ADA, "sales is late", MONDAY)
    assert await journal(house) == [(1, Done(MONDAY, "alert:sales is late", "done"))]
