"""advance: one wake in two transactions; tried again, with whatever news, it does nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.alert import AlertActivity
from activities.hand_off import HandOffActivity
from models.journeys import Alert, DecisionRow, Enrolment, FactRow, HandOffRow
from models.leads import LeadRow, ScoreEntry, Suppression
from models.messages import Behaviour, Control
from models.touches import Touch
from nurture.journey.decision import AlertStep, Finish, Park, Send
from nurture.journey.decision import HandOff as HandOffStep
from nurture.journey.facts import (
    Behaved,
    Chosen,
    Deferred,
    Done,
    Enrolled,
    Overridden,
    Paused,
    Scored,
    Waited,
    Waiting,
)
from nurture.journey.lead import Lead as TrackLead
from nurture.journey.matchers import opted_out
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import track
from nurture.people.scoring import DEFAULT_MODEL
from perennial.channels.ports import NotSentError, TryLaterError, UnknownFateError
from perennial.journeys.read_model import FACT
from perennial.platform.database import Database
from tests.activities.room import (
    ADA,
    TRACKS,
    Killed,
    Scripted,
    advance,
    advance_activity,
    advancing,
    at_wall,
    decisions,
    enrolled,
    journal,
    killed,
    order,
    woken_again,
)
from tests.builders import only, rows, store
from tests.engine.rig import MONDAY

NEXT_WEEK = MONDAY + timedelta(days=7)
BEGIN = Enrolled(MONDAY, "ada", traits={"topic": "forecasting", "industry": "retail"})
WELCOMED = Done(MONDAY, "send:welcome", "sent")
RESTS = Waiting(
    MONDAY,
    "send:welcome/wait",
    timedelta(days=7).total_seconds(),
    ("email.clicked:welcome",),
    NEXT_WEEK,
)
CLICK = Behaviour(id="b1", name="email.clicked", subject="welcome", at=NEXT_WEEK - timedelta(days=3))


@pytest.fixture
async def house(database: Database) -> Database:
    """Ada is on new-lead, on SQLite and on PostgreSQL."""
    await enrolled(database)
    return database


@track("new-lead", exits_on=(opted_out,))
async def other_version(lead: TrackLead) -> Outcome:
    """The track as another version has it."""
    await lead.wait(days=3)
    await lead.send("best-of")
    return nurtured


@track("new-lead", exits_on=(opted_out,))
async def renamed(lead: TrackLead) -> Outcome:
    """The track with its first piece renamed."""
    await lead.send("best-of", was="welcome")
    await lead.wait(days=3)
    return nurtured


# What a wake does


async def test_the_first_wake_sends_and_rests(house: Database) -> None:
    """One answer holds the step, why, what came of it, where the lead rests, and what the UI's list shows then."""
    provider = Scripted()
    advanced = await advance(advance_activity(house, provider), advancing())
    assert advanced.acted is not None
    assert (advanced.acted.step, advanced.acted.because) == (Send("send:welcome", "welcome"), ("enrolled",))
    assert advanced.acted.outcome == WELCOMED
    assert isinstance(advanced.next, Park)
    assert (advanced.next.key, advanced.next.until) == ("send:welcome/wait", NEXT_WEEK)
    assert advanced.shown == {"Stage": "awareness", "ScoreBand": "cold", "Step": "send:welcome/wait", "Paused": False}
    assert provider.asked == 1
    assert [fact for _, fact in await journal(house)] == [BEGIN, *advanced.all_facts]
    assert await decisions(house) == [(1, "send welcome"), (2, "wait after send welcome")]
    head, touch = await only(house, Enrolment), await only(house, Touch)
    assert (head.status, head.step, head.next_at, head.open_touch) == ("active", "send:welcome/wait", NEXT_WEEK, None)
    assert (head.length, head.digest) == (3, advanced.digest)
    assert (touch.state, touch.at) == ("accepted", MONDAY)


async def test_at_a_rest_it_says_what_the_timer_will_bring(house: Database) -> None:
    """The Temporal UI shows it at the next wake."""
    advanced = await advance(advance_activity(house), advancing())
    assert advanced.expects == "wait after send welcome"


async def test_news_and_what_follows_from_it_are_written_in_order(house: Database) -> None:
    """Facts that came in and facts that were derived are numbered on from what was saved."""
    asked = advancing(BEGIN, WELCOMED, RESTS, saved=3, decided=3, now=MONDAY, news=(CLICK,), woken_at=CLICK.at)
    await store(house, *saved(BEGIN, WELCOMED, RESTS))
    advanced = await advance(advance_activity(house, now=CLICK.at), asked)
    (heard,) = advanced.heard
    waited, chosen, waiting = advanced.facts
    assert heard == Behaved(CLICK.at, "b1", "email.clicked", "welcome")
    assert isinstance(waited, Waited)
    assert isinstance(chosen, Chosen)
    assert isinstance(waiting, Waiting)
    assert (waited.by, waited.name, waited.subject) == ("behaviour", "email.clicked", "welcome")
    assert (await journal(house))[3:] == [(3, heard), (4, waited), (5, chosen), (6, waiting)]
    assert (await only(house, Enrolment)).because == list(advanced.because)


async def test_the_score_is_taken_as_of_now_and_comes_before_the_decision(house: Database) -> None:
    """A spike in the ledger graduates the lead in the same wake; the lead's own row shows the score."""
    at = NEXT_WEEK
    entries = DEFAULT_MODEL.engagement_entries("b1", "demo.requested", "", at)
    entries += [
        entry for n in (2, 3) for entry in DEFAULT_MODEL.engagement_entries(f"b{n}", "email.replied", "welcome", at)
    ]
    ledger = [
        ScoreEntry(lead_id="ada", rule=e.rule, behaviour_id=e.behaviour_id, points=e.points, reason=e.reason, at=e.at)
        for e in entries
    ]
    await store(house, *ledger)
    asked = advancing(BEGIN, WELCOMED, now=at, decided=2, rescore=True)
    advanced = await advance(advance_activity(house, now=at), asked)
    assert advanced.heard == (Scored(at, 80, "decision"),)
    assert isinstance(advanced.next, HandOffStep)
    assert advanced.shown["ScoreBand"] == "mql"
    ada = await only(house, LeadRow)
    assert (ada.score, ada.stage, ada.band) == (80, "decision", "mql")


async def test_an_unchanged_score_is_no_fact(house: Database) -> None:
    """The journal grows by what happened, not by what was looked at."""
    advanced = await advance(advance_activity(house), advancing(rescore=True))
    assert advanced.heard == ()


async def test_a_pause_and_an_end_show_in_the_head(house: Database) -> None:
    """The list of journeys says paused, then finished, with the outcome and the moment."""
    activity = advance_activity(house, now=NEXT_WEEK)
    asked = advancing(BEGIN, WELCOMED, now=NEXT_WEEK, decided=2, news=(Control(verb="pause", id="p"),))
    paused = await advance(activity, asked)
    assert paused.shown["Paused"] is True
    assert (await only(house, Enrolment)).status == "paused"
    leaves = (Control(verb="exit", id="e", reason="moved away"),)
    ended = await advance(activity, woken_again(asked, paused, news=leaves))
    assert ended.next == Finish("exited: moved away")
    head = await only(house, Enrolment)
    assert (head.status, head.outcome, head.ended_at, head.next_at) == (
        "finished",
        "exited: moved away",
        NEXT_WEEK,
        None,
    )


async def test_an_override_ends_the_wait(house: Database) -> None:
    """A person's word counts as the end of the present wait."""
    at = NEXT_WEEK - timedelta(days=3)
    asked = advancing(BEGIN, WELCOMED, decided=2, woken_at=at, news=(Control(verb="override", id="o"),))
    advanced = await advance(advance_activity(house, now=at), asked)
    assert advanced.heard == (Overridden(at, "o"),)
    waited = advanced.facts[0]
    assert isinstance(waited, Waited)
    assert (waited.at, waited.key, waited.by) == (at, "send:welcome/wait", "override")


async def test_lean_attributes_are_those_that_hardly_change(house: Database) -> None:
    """A list by step comes from the read model then."""
    activity = replace(advance_activity(house), lean=True)
    assert (await advance(activity, advancing())).shown == {"Paused": False}


async def test_a_send_that_the_gate_puts_off_rests_until_then(house: Database) -> None:
    """On a Saturday: no touch, and the wake's end is the first open moment."""
    saturday = MONDAY + timedelta(days=5)
    provider = Scripted()
    begin = replace(BEGIN, at=saturday)
    advanced = await advance(advance_activity(house, provider, now=saturday), advancing(begin, now=saturday))
    assert advanced.acted is not None
    assert isinstance(advanced.acted.outcome, Deferred)
    assert isinstance(advanced.next, Park)
    assert (advanced.next.why, advanced.next.until) == ("deferred", advanced.acted.outcome.until)
    assert (provider.asked, await rows(house, Touch)) == (0, [])


async def test_a_refused_send_is_settled_and_the_journey_goes_on(house: Database) -> None:
    """The refusal is a touch of its own, and the lead rests where a sent mail would have brought it."""
    await store(house, Suppression(lead_id="ada", reason="opt-out", source="web", at=MONDAY))
    provider = Scripted()
    advanced = await advance(advance_activity(house, provider), advancing())
    assert advanced.acted is not None
    assert advanced.acted.outcome == Done(MONDAY, "send:welcome", "refused", "suppressed: opt-out")
    assert provider.asked == 0
    assert (await only(house, Touch)).state == "refused"


@pytest.mark.parametrize(
    ("failure", "result"), [(NotSentError("no", code="550"), "refused"), (UnknownFateError("gone"), "unknown")]
)
async def test_what_the_provider_settles_is_recorded_at_once(
    house: Database, failure: BaseException, result: str
) -> None:
    """A mail that it will not take, or may have taken, is settled within the wake."""
    advanced = await advance(advance_activity(house, Scripted(before=[failure])), advancing())
    assert advanced.acted is not None
    assert isinstance(advanced.acted.outcome, Done)
    assert advanced.acted.outcome.result == result
    assert (await only(house, Enrolment)).open_touch is None


async def test_what_the_provider_wants_later_is_left_to_the_patient_activity(house: Database) -> None:
    """The touch says that nothing was sent; the step comes next, with the rest that follows it."""
    advanced = await advance(advance_activity(house, Scripted(before=[TryLaterError("busy")])), advancing())
    assert (advanced.acted, advanced.next) == (None, Send("send:welcome", "welcome"))
    assert advanced.then is not None
    assert isinstance(advanced.then.next, Park)
    assert (await only(house, Touch)).state == "deferred"
    assert [fact for _, fact in await journal(house)] == [BEGIN]


# Tried again


async def test_tried_again_after_its_end_it_answers_the_same_and_sends_nothing(house: Database) -> None:
    """A worker that dies after its commit and before its answer leaves what the next one adopts."""
    provider = Scripted()
    asked = advancing(rescore=True)
    first = await advance(advance_activity(house, provider), asked)
    found = await journal(house), await decisions(house)
    again = await advance(advance_activity(house, provider), asked)
    assert (again.all_facts, again.next, again.digest) == (first.all_facts, first.next, first.digest)
    assert (await journal(house), await decisions(house)) == found
    assert provider.asked == 1


async def test_tried_again_with_further_news_the_send_is_adopted_first(house: Database) -> None:
    """A task that the server rejects because a pause was buffered has sent all the same: the pause comes after it."""
    provider = Scripted()
    first = await advance(advance_activity(house, provider), advancing())
    asked = advancing(news=(Control(verb="pause", id="p"),))
    again = await advance(advance_activity(house, provider), asked)
    assert again.all_facts == (*first.all_facts, Paused(MONDAY, "p"))
    assert isinstance(again.next, Park)
    assert again.next.why == "paused"
    assert provider.asked == 1


async def test_tried_again_a_persons_word_counts_once(house: Database) -> None:
    """The override of the rejected task ends no second wait."""
    at = NEXT_WEEK - timedelta(days=3)
    asked = advancing(BEGIN, WELCOMED, decided=2, woken_at=at, news=(Control(verb="override", id="o"),))
    activity = advance_activity(house, now=at)
    first = await advance(activity, asked)
    again = await advance(activity, asked)
    assert again.all_facts == first.all_facts
    assert again.next == first.next


async def test_tried_again_in_another_version_what_the_first_did_stands(house: Database) -> None:
    """The other version plans on from there."""
    provider = Scripted()
    first = await advance(advance_activity(house, provider), advancing())
    again = await advance(advance_activity(house, provider, other_version), advancing())
    assert again.heard[: len(first.all_facts)] == first.all_facts
    assert provider.asked == 1


@pytest.mark.parametrize("knows", [True, False])
async def test_killed_while_sending_the_send_is_settled_before_anything_is_decided(
    house: Database, *, knows: bool
) -> None:
    """The mail had left; the next try has a pause and a renamed piece, and still nothing is mailed twice."""
    provider = Scripted(after=[Killed()], knows=knows)
    async with killed():
        await advance(advance_activity(house, provider), advancing())
    asked = advancing(news=(Control(verb="pause", id="p"),))
    paused = await advance(advance_activity(house, provider, renamed), asked)
    result = "sent" if knows else "unknown"
    assert [(f.key, f.result) for f in paused.all_facts if isinstance(f, Done)] == [("send:welcome", result)]
    resumed = woken_again(asked, paused, news=(Control(verb="resume", id="r"),))
    advanced = await advance(advance_activity(house, provider, renamed), resumed)
    assert isinstance(advanced.next, Park)
    assert provider.asked == 1


async def test_killed_before_the_provider_took_it_the_mail_is_sent_once(house: Database) -> None:
    """A provider that knows says so; the gate is asked again."""
    provider = Scripted(before=[Killed()])
    async with killed():
        await advance(advance_activity(house, provider), advancing())
    advanced = await advance(advance_activity(house, provider), advancing())
    assert advanced.acted is not None
    assert (advanced.acted.outcome, len(provider.kept)) == (WELCOMED, 1)


# The workflow's journal is the truth


async def test_a_database_restored_from_a_backup_is_written_again(house: Database) -> None:
    """Facts and touches that the backup lacks come from the workflow, so that nothing is mailed twice and caps hold."""
    provider = Scripted()
    activity = advance_activity(house, provider)
    asked = advancing()
    first = await advance(activity, asked)
    async with house.writing() as session:
        for row in (await rows(house, FactRow))[1:] + await rows(house, Touch) + await rows(house, DecisionRow):
            await session.delete(await session.merge(row))
        head = await session.get_one(Enrolment, ADA)
        head.length, head.digest = 1, "yesterday"
    second = await advance(activity, woken_again(asked, first))
    assert [fact for _, fact in await journal(house)] == [BEGIN, *first.all_facts, *second.all_facts]
    touch = await only(house, Touch)
    assert (touch.state, touch.step_key, touch.at) == ("accepted", "send:welcome", MONDAY)
    assert provider.asked == 1


async def test_a_read_model_with_another_history_is_written_again(house: Database) -> None:
    """As long, and yet not the same: the workflow's facts take the place of the others."""
    activity = advance_activity(house)
    asked = advancing()
    first = await advance(activity, asked)
    async with house.writing() as session:
        (await session.get_one(Enrolment, ADA)).digest = "another"
        (await session.get_one(FactRow, (ADA, 1))).fact = {"kind": "done", "at": MONDAY.isoformat(), "key": "send:x"}
    await advance(activity, woken_again(asked, first))
    assert [fact for _, fact in await journal(house)] == [BEGIN, *first.all_facts]


async def test_a_workflow_that_was_reset_takes_back_what_it_had_done(house: Database) -> None:
    """Its journal is shorter than the database's: what was done since the point of the reset is adopted."""
    provider = Scripted()
    activity = advance_activity(house, provider)
    asked = advancing()
    first = await advance(activity, asked)
    later = woken_again(asked, first, due=NEXT_WEEK, woken_at=NEXT_WEEK)
    second = await advance(advance_activity(house, provider, now=NEXT_WEEK), later)
    again = await advance(advance_activity(house, provider, now=NEXT_WEEK), asked)
    assert again.all_facts[: len(first.all_facts)] == first.all_facts
    assert (again.all_facts, again.next) == ((*first.all_facts, *second.all_facts), second.next)
    assert provider.asked == 1


def saved(*facts: Enrolled | Done | Waiting) -> list[FactRow]:
    """Facts in the read model, the first of a journal."""
    return [
        FactRow(
            enrolment_id=ADA,
            seq=seq,
            kind=fact.kind,
            key=getattr(fact, "key", ""),
            at=fact.at,
            fact=FACT.dump_python(fact, mode="json"),
        )
        for seq, fact in enumerate(facts)
    ]


# hand_off and alert


async def test_a_hand_off_tried_twice_is_one_offer(house: Database) -> None:
    """Sales sees the lead once, with the score and the reason, and the journal has the step."""
    step = order(HandOffStep("hand_off:sales", "sales", "score 80"))
    for wall in (MONDAY, NEXT_WEEK):
        await ActivityEnvironment().run(HandOffActivity(house, TRACKS, at_wall(wall)).hand_off, step)
    offer = await only(house, HandOffRow)
    assert (offer.lead_id, offer.to, offer.reason, offer.at) == ("ada", "sales", "score 80", MONDAY)
    assert await journal(house) == [(1, Done(MONDAY, "hand_off:sales", "done"))]


async def test_an_alert_tried_twice_is_one_line(house: Database) -> None:
    """A person reads it once."""
    step = order(AlertStep("alert:sales is late", "sales is late"))
    for wall in (MONDAY, NEXT_WEEK):
        await ActivityEnvironment().run(AlertActivity(house, TRACKS, at_wall(wall)).alert, step)
    (alert,) = await rows(house, Alert)
    assert (alert.enrolment_id, alert.text, alert.at) == (ADA, "sales is late", MONDAY)
    assert await journal(house) == [(1, Done(MONDAY, "alert:sales is late", "done"))]
