"""Code that is gone or raises strands no journey: it stays, tries again, hears exits meanwhile, and people see why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from models.journeys import Alert, AskedRow, Enrolment
from models.leads import LeadRow
from models.messages import Behaviour, Control, Request
from models.touches import Touch
from nurture.journey.decision import Finish, Park
from nurture.journey.facts import Behaved, Done, Enrolled, Exited, Paused
from nurture.journey.lead import Lead as TrackLead
from nurture.journey.matchers import converted, opted_out
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import track
from perennial.journeys.alerts import latest_alerts
from perennial.journeys.asked import ask
from perennial.journeys.stuck import LATEST, SOONEST, stuck_by_track
from perennial.platform.database import Database
from tests.activities.room import ADA, Scripted, advance, advance_activity, advancing, enrolled, journal, order, sending
from tests.builders import only, rows
from tests.engine.rig import MONDAY

BEGIN = Enrolled(MONDAY, "ada", traits={"topic": "forecasting", "industry": "retail"})
WON = Behaviour(id="b1", name="deal.won", at=MONDAY)


@pytest.fixture
async def house(database: Database) -> Database:
    """Ada is on new-lead, on SQLite and on PostgreSQL."""
    await enrolled(database)
    return database


@track("new-lead", exits_on=(opted_out, converted))
async def raising(lead: TrackLead) -> Outcome:
    """A track with a bug that quotes what it read."""
    raise ValueError(f"cannot use {lead.trait('industry')}")


@track("new-lead", exits_on=(opted_out,))
async def raising_later(lead: TrackLead) -> Outcome:
    """A track with a bug behind its first mail."""
    await lead.send("welcome")
    raise ValueError("behind the mail")


@track("new-lead")
async def mended(lead: TrackLead) -> Outcome:
    """The track without the bug."""
    await lead.send("welcome")
    await lead.wait(days=7)
    return nurtured


gone = replace(mended, name="another")


async def test_code_that_raises_leaves_the_lead_where_it_stands(house: Database) -> None:
    """What is told in Temporal has the line and the kind of error, not its words, which may quote a lead."""
    advanced = await advance(advance_activity(house, Scripted(), raising), advancing())
    assert isinstance(advanced.next, Park)
    assert (advanced.next.why, advanced.next.until) == ("stuck", MONDAY + SOONEST)
    (said,) = advanced.because
    assert said.endswith(": ValueError")
    assert "test_stuck.py:" in said
    head = await only(house, Enrolment)
    assert (head.status, head.stuck_since) == ("active", MONDAY)
    assert head.stuck is not None
    assert head.stuck.endswith(": ValueError: cannot use retail")
    async with house.reading() as session:
        assert await stuck_by_track(session) == {"new-lead": 1}
        (line,) = await latest_alerts(session, 20)
    assert (line.stuck, line.text.startswith("stuck: ")) == (True, True)


async def test_it_is_tried_again_less_and_less_often(house: Database) -> None:
    """The next try is as far off as the trouble is old, within bounds."""
    activity = advance_activity(house, Scripted(), raising)
    await advance(activity, advancing())
    for passed, until in (
        (timedelta(minutes=2), timedelta(minutes=4)),
        (timedelta(days=2), timedelta(days=2) + LATEST),
    ):
        now = MONDAY + passed
        later = advance_activity(house, Scripted(), raising, now=now)
        asked = advancing(BEGIN, now=now, saved=1, woken_at=now)
        advanced = await advance(later, asked)
        assert isinstance(advanced.next, Park)
        assert advanced.next.until == MONDAY + until
    assert (await only(house, Enrolment)).stuck_since == MONDAY
    assert len(await rows(house, Alert)) == 1


async def test_mended_code_goes_on_and_nothing_is_stuck(house: Database) -> None:
    """Head and alert say so at once."""
    await advance(advance_activity(house, Scripted(), raising), advancing())
    provider = Scripted()
    advanced = await advance(advance_activity(house, provider, mended), advancing(BEGIN, saved=1))
    assert isinstance(advanced.next, Park)
    assert advanced.next.why == "wait"
    assert provider.asked == 1
    assert (await only(house, Enrolment)).stuck_since is None
    async with house.reading() as session:
        assert await latest_alerts(session, 20) == []


@pytest.mark.parametrize("version", [raising, gone], ids=["raises", "is gone"])
async def test_an_exit_is_heard_though_the_code_fails(house: Database, version: object) -> None:
    """A person ends it, whatever became of the code."""
    asked = advancing(news=(Control(verb="exit", id="e1", reason="enough"),))
    advanced = await advance(advance_activity(house, Scripted(), version), asked)
    assert advanced.next == Finish("exited: enough")
    assert (await only(house, Enrolment)).stuck_since is None


async def test_a_won_deal_ends_a_journey_whose_code_raises(house: Database) -> None:
    """The track's exit rules hold without its code."""
    advanced = await advance(advance_activity(house, Scripted(), raising), advancing(news=(WON,)))
    assert isinstance(advanced.next, Finish)


async def test_an_opt_out_ends_a_journey_whose_track_is_gone(house: Database) -> None:
    """Of a track that is gone no exit rule is known; an opt-out is one everywhere."""
    out = Behaviour(id="b2", name="lead.opted_out", at=MONDAY)
    advanced = await advance(advance_activity(house, Scripted(), gone), advancing(news=(out,)))
    assert isinstance(advanced.next, Finish)


async def test_a_track_that_is_gone_is_named_with_the_remedy(house: Database) -> None:
    """The journey listens for its end meanwhile."""
    advanced = await advance(advance_activity(house, Scripted(), gone), advancing())
    assert isinstance(advanced.next, Park)
    assert advanced.next.why == "stuck"
    assert "lead.opted_out:*" in advanced.next.listens
    assert advanced.because[0].startswith("no track called 'new-lead'")
    assert "was='new-lead'" in advanced.because[0]


async def test_a_bug_behind_a_step_does_not_keep_the_step_back(house: Database) -> None:
    """The mail leaves once; the journey is stuck after it."""
    provider = Scripted()
    advanced = await advance(advance_activity(house, provider, raising_later), advancing())
    assert provider.asked == 1
    assert advanced.acted is not None
    assert isinstance(advanced.acted.outcome, Done)
    assert isinstance(advanced.next, Park)
    assert (advanced.next.why, advanced.next.key) == ("stuck", "send:welcome")
    facts = (BEGIN, *advanced.all_facts)
    again = await advance(advance_activity(house, provider, raising_later), advancing(*facts, saved=len(facts)))
    assert isinstance(again.next, Park)
    assert again.next.why == "stuck"
    assert (provider.asked, len(await rows(house, Touch))) == (1, 1)


# What a person asked, before the signal is there


async def test_a_pause_is_heard_by_the_next_wake_before_its_signal(house: Database) -> None:
    """No mail leaves; the signal that follows is known by its id."""
    async with house.transaction() as connection:
        await ask(connection, [ADA], "pause", Request(id="p1", reason="a campaign"), MONDAY)
    provider = Scripted()
    advanced = await advance(advance_activity(house, provider, mended), advancing())
    assert advanced.heard == (Paused(MONDAY, "p1", "a campaign"),)
    assert isinstance(advanced.next, Park)
    assert advanced.next.why == "paused"
    assert (provider.asked, await rows(house, AskedRow)) == (0, [])


async def test_the_signal_of_what_was_asked_is_heard_once(house: Database) -> None:
    """If it comes first, what was asked is forgotten; one fact is in the journal."""
    async with house.transaction() as connection:
        await ask(connection, [ADA], "pause", Request(id="p1"), MONDAY)
    advanced = await advance(
        advance_activity(house, Scripted(), mended), advancing(news=(Control(verb="pause", id="p1"),))
    )
    assert advanced.heard == (Paused(MONDAY, "p1"),)
    assert await rows(house, AskedRow) == []


async def test_an_exit_is_heard_by_the_next_wake_before_its_signal(house: Database) -> None:
    """It ends the journey in place of the mail that was due."""
    async with house.transaction() as connection:
        await ask(connection, [ADA], "exit", Request(id="e1", reason="moved"), MONDAY)
    provider = Scripted()
    advanced = await advance(advance_activity(house, provider, mended), advancing())
    assert advanced.heard == (Exited(MONDAY, "moved", "e1"),)
    assert advanced.next == Finish("exited: moved")
    assert provider.asked == 0


@pytest.mark.parametrize(("verb", "said"), [("pause", "a pause"), ("exit", "the end of the journey")])
async def test_a_send_that_takes_patience_is_put_off_by_what_was_asked(house: Database, verb: str, said: str) -> None:
    """The gate reads it in the send's own transaction."""
    provider = Scripted()
    async with house.transaction() as connection:
        await ask(connection, [ADA], verb, Request(id="p1"), MONDAY)
    outcome = await ActivityEnvironment().run(sending(house, provider).send, order())
    assert (outcome.result, outcome.reason) == ("deferred", f"a person asked for {said}")
    assert (provider.asked, await rows(house, Touch)) == (0, [])


async def test_only_the_last_that_was_asked_counts(house: Database) -> None:
    """A pause that was taken back holds nothing up; a journey that is over is not asked."""
    async with house.transaction() as connection:
        await ask(connection, [ADA, "new-lead/nobody/1"], "pause", Request(id="p1"), MONDAY)
        await ask(connection, [ADA], "resume", Request(id="r1"), MONDAY)
    provider = Scripted()
    advanced = await advance(advance_activity(house, provider, mended), advancing())
    assert provider.asked == 1
    assert isinstance(advanced.next, Park)
    assert advanced.next.why == "wait"
    assert not [fact for _, fact in await journal(house) if isinstance(fact, Behaved)]
    assert (await only(house, LeadRow)).id == "ada"
