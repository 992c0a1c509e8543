"""send: what the gate says is done, and a worker killed anywhere sends nothing twice and loses nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.send import MOST_TRIES, SOFT_PAUSE, SOFT_TRIES, SendActivity
from models.intake import Event
from models.journeys import Enrolment, FactRow
from models.leads import BehaviourRow, LeadRow, Suppression
from models.messages import StepOrder, StepOutcome
from models.touches import Message, Touch
from nurture.content.catalogue import Catalogue, parse_piece
from nurture.errors import ContentError
from nurture.journey.decision import HandOff, Send
from nurture.journey.facts import Done
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import Registry, track
from nurture.timing.clock import Clock
from perennial.channels.database_mail import DatabaseProvider
from perennial.channels.ports import Envelope, NotSentError, SendingStoppedError, TryLaterError, UnknownFateError
from perennial.integrations.sendgrid.events import TOUCH_ARGUMENT
from perennial.integrations.sendgrid.meanings import read_sendgrid
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database
from tests.activities.room import (
    ADA,
    TOKENS,
    Killed,
    Scripted,
    decisions,
    enrolled,
    journal,
    killed,
    order,
    resting,
    sending,
)
from tests.builders import only, rows, store
from tests.engine.rig import CATALOGUE, MONDAY

SATURDAY = MONDAY + timedelta(days=5)
LATER = MONDAY + timedelta(hours=2)


@pytest.fixture
async def house(database: Database) -> Database:
    """Ada is on new-lead, on SQLite and on PostgreSQL."""
    await enrolled(database)
    return database


async def send(activity: object, asked: StepOrder | None = None) -> StepOutcome:
    """Run `send` as a worker does."""
    found: StepOutcome = await ActivityEnvironment().run(activity.send, asked or order())  # type: ignore[attr-defined]
    return found


# The gate


async def test_an_allowed_send_leaves_a_touch_a_message_and_a_fact(house: Database) -> None:
    """One transaction before the provider, one after it, and the read model says where the lead rests."""
    outcome = await send(sending(house, DatabaseProvider(house)), order(then=resting()))
    assert outcome == StepOutcome(at=MONDAY, result="sent")
    touch, message = await only(house, Touch), await only(house, Message)
    assert (touch.state, touch.step_key, touch.provider_id) == ("accepted", "send:welcome", touch.id)
    assert (message.touch_id, message.to) == (touch.id, "ada@northwind.example")
    token = message.headers["List-Unsubscribe"].removeprefix("<https://perennial.example/u/").removesuffix(">")
    assert TOKENS.read("preferences", token) == (touch.id,)
    assert await journal(house) == [(1, Done(MONDAY, "send:welcome", "sent"))]
    assert await decisions(house) == [(2, "wait after send welcome")]
    head = await only(house, Enrolment)
    assert (head.step, head.next_at) == ("send:welcome/wait", MONDAY + timedelta(days=7))


async def test_a_send_that_the_gate_puts_off_leaves_nothing_behind(house: Database) -> None:
    """On a Saturday it answers until when, and neither a touch nor a fact is there yet."""
    provider = Scripted()
    outcome = await send(sending(house, provider, now=SATURDAY), order(now=SATURDAY))
    assert (outcome.result, outcome.reason) == ("deferred", "closed day: Saturday in Europe/Berlin")
    assert outcome.until is not None
    assert outcome.until.weekday() == 0
    assert (provider.asked, await rows(house, Touch), await journal(house)) == (0, [], [])


async def test_a_suppressed_lead_is_refused_in_the_ledger_and_in_the_journal(house: Database) -> None:
    """The refusal is a touch of its own, the provider is not asked, and asked again it says the same."""
    await store(house, Suppression(lead_id="ada", reason="opt-out", source="web", at=MONDAY))
    provider = Scripted()
    outcome = await send(sending(house, provider))
    assert outcome == StepOutcome(at=MONDAY, result="refused", reason="suppressed: opt-out")
    assert await send(sending(house, provider)) == outcome
    assert provider.asked == 0
    assert (await only(house, Touch)).state == "refused"
    assert await journal(house) == [(1, Done(MONDAY, "send:welcome", "refused", "suppressed: opt-out"))]


async def test_an_exit_that_the_journey_has_not_heard_yet_stops_its_send(house: Database) -> None:
    """A deal won a moment ago counts in the gate before its signal arrives."""
    await store(house, _won())
    outcome = await send(sending(house, Scripted()))
    assert (outcome.result, outcome.reason) == ("refused", "exited: became a customer")


async def test_an_exit_rule_added_later_does_not_reach_back_in_the_gate(house: Database) -> None:
    """What the journey heard and went on after ends nothing now: an edited rule counts from the next fact on."""
    heard = {"kind": "behaved", "at": "2026-03-02T09:30:00Z", "id": "b1", "name": "deal.won"}
    await store(house, _won(), FactRow(enrolment_id=ADA, seq=1, kind="behaved", at=MONDAY, fact=heard))
    assert (await send(sending(house, Scripted()), order(seq=2))).result == "sent"


def _won() -> BehaviourRow:
    return BehaviourRow(id="b1", lead_id="ada", name="deal.won", subject="", props={}, at=MONDAY, received_at=MONDAY)


async def test_a_mail_has_the_layout_of_the_content_folder(house: Database, tmp_path: Path) -> None:
    """A company's own content folder holds its own layouts, and `check` reads those too."""
    (tmp_path / "layout.html.j2").write_text("<p>Northwind's own</p>{{ body }}", encoding="utf-8")
    (tmp_path / "layout.txt.j2").write_text("Northwind's own {{ body }}", encoding="utf-8")
    provider = Scripted()
    await send(replace(sending(house, provider), layouts=tmp_path))
    (envelope,) = provider.kept.values()
    assert envelope.html.startswith("<p>Northwind's own</p>")
    assert envelope.text.startswith("Northwind's own ")


async def test_of_two_tracks_that_send_at_once_one_gives_way(database: Database) -> None:
    """The cap of one touch a day holds for the lead over all its tracks, also in the same instant."""
    await enrolled(database, "new-lead", "re-engagement")
    provider = Scripted()
    activity = sending(database, provider)
    other = order(Send("send:still-interested", "still-interested"), enrolment="re-engagement/ada/1")
    outcomes = await asyncio.gather(send(activity), send(activity, other))
    assert sorted(outcome.result for outcome in outcomes) == ["deferred", "sent"]
    assert len(provider.kept) == 1


# A worker that is killed


async def test_a_second_try_of_a_finished_send_only_tells_of_it(house: Database) -> None:
    """Killed between the record and the answer: the touch answers for it."""
    provider = Scripted()
    first = await send(sending(house, provider))
    assert await send(sending(house, provider, now=LATER)) == first
    assert provider.asked == 1
    assert len(await rows(house, Touch)) == 1


async def test_killed_before_the_provider_the_next_try_sends(house: Database) -> None:
    """The touch was committed, the message never left; it leaves once, under the same id."""
    provider = Scripted(before=[Killed()])
    async with killed():
        await send(sending(house, provider))
    (begun,) = await rows(house, Touch)
    assert begun.state == "sending"
    outcome = await send(sending(house, provider, now=LATER))
    assert outcome == StepOutcome(at=LATER, result="sent")
    assert list(provider.kept) == [begun.id]
    assert (await only(house, Touch)).at == LATER


async def test_killed_after_the_provider_the_next_try_records(house: Database) -> None:
    """The message left, the record did not: the provider knows, and nothing is sent again."""
    provider = Scripted(after=[Killed()])
    async with killed():
        await send(sending(house, provider))
    outcome = await send(sending(house, provider, now=LATER))
    assert outcome == StepOutcome(at=MONDAY, result="sent")
    assert provider.asked == 1
    assert (await only(house, Touch)).state == "accepted"
    assert await journal(house) == [(1, Done(MONDAY, "send:welcome", "sent"))]


async def test_killed_and_the_provider_cannot_tell_it_is_never_sent_again(house: Database) -> None:
    """A provider without a memory leaves the send unknown: a marketing mail goes at most once."""
    provider = Scripted(before=[Killed()], knows=False)
    async with killed():
        await send(sending(house, provider))
    outcome = await send(sending(house, provider, now=LATER))
    assert (outcome.result, outcome.reason) == ("unknown", "whether it was sent is not known")
    assert provider.asked == 1


async def test_killed_before_the_provider_an_opt_out_since_is_respected(house: Database) -> None:
    """What surely never left is judged again, and here it never leaves."""
    provider = Scripted(before=[Killed()])
    async with killed():
        await send(sending(house, provider))
    await store(house, Suppression(lead_id="ada", reason="complaint", source="web", at=MONDAY))
    outcome = await send(sending(house, provider, now=LATER))
    assert (outcome.result, outcome.reason) == ("refused", "suppressed: complaint")
    assert provider.kept == {}
    assert (await only(house, Touch)).state == "refused"


async def test_a_touch_begun_before_does_not_count_against_itself(house: Database) -> None:
    """With a cap of one a day, the try that was killed does not put off the next."""
    provider = Scripted(before=[Killed()])
    async with killed():
        await send(sending(house, provider))
    assert (await send(sending(house, provider, now=LATER))).result == "sent"


async def test_a_try_that_comes_on_a_closed_day_waits_and_keeps_its_touch(house: Database) -> None:
    """Begun on Monday, tried again on Saturday, sent on the next Monday: one touch, one message."""
    provider = Scripted(before=[Killed()])
    async with killed():
        await send(sending(house, provider))
    put_off = await send(sending(house, provider, now=SATURDAY))
    assert (put_off.result, (await only(house, Touch)).state) == ("deferred", "deferred")
    assert put_off.until is not None
    outcome = await send(sending(house, provider, now=put_off.until), order(now=put_off.until))
    assert outcome == StepOutcome(at=put_off.until, result="sent")
    assert list(provider.kept) == [(await only(house, Touch)).id]


async def test_the_same_send_twice_at_once_is_one_message(house: Database) -> None:
    """A worker thought dead and its successor may both run: the mailbox keeps one message, the ledger one touch."""
    activity = sending(house, DatabaseProvider(house))
    outcomes = await asyncio.gather(send(activity), send(activity))
    assert [outcome.result for outcome in outcomes] == ["sent", "sent"]
    assert len(await rows(house, Message)) == len(await rows(house, Touch)) == 1


# A provider that fails

QUOTING = "550 ada@northwind.example has no mailbox at Northwind"


async def test_what_was_surely_not_sent_is_refused_in_our_own_words(house: Database) -> None:
    """The provider's text stays in the ledger; the step's reason, which enters a history, quotes nobody."""
    provider = Scripted(before=[NotSentError(QUOTING, code="550")])
    outcome = await send(sending(house, provider))
    assert outcome == StepOutcome(at=MONDAY, result="refused", reason="the provider refused it (550)")
    assert (await only(house, Touch)).reason.splitlines() == ["the provider refused it (550)", QUOTING]
    assert await send(sending(house, provider)) == outcome


async def test_what_was_perhaps_sent_is_unknown_and_not_sent_again(house: Database) -> None:
    """A time-out after the body went: no second try asks the provider."""
    provider = Scripted(after=[UnknownFateError(QUOTING)])
    outcome = await send(sending(house, provider))
    assert outcome == StepOutcome(at=MONDAY, result="unknown", reason="the provider never answered")
    assert await send(sending(house, provider)) == outcome
    assert provider.asked == 1


async def test_a_webhook_that_was_quicker_than_the_answer_wins(house: Database) -> None:
    """The delivery was reported while we waited: the time-out that follows does not make it unknown."""

    class Overtaken(Scripted):
        async def send(self, envelope: object) -> str:
            async with house.writing() as session:
                touch = await session.get_one(Touch, envelope.touch_id)  # type: ignore[attr-defined]
                touch.state = "accepted"
            raise UnknownFateError

    assert (await send(sending(house, Overtaken()))).result == "sent"
    assert (await only(house, Touch)).state == "accepted"


async def test_a_try_after_the_record_tells_what_was_recorded_whatever_webhooks_said_since(house: Database) -> None:
    """Killed between the record and the report: the journey and the read model of it stay one story."""
    provider = Scripted(after=[UnknownFateError(QUOTING)])
    first = await send(sending(house, provider))
    await webhook_tells(house)
    assert (await only(house, Touch)).state == "accepted"
    assert await send(sending(house, provider, now=LATER)) == first
    assert [fact.result for _, fact in await journal(house) if isinstance(fact, Done)] == [first.result] == ["unknown"]


@pytest.mark.parametrize(
    ("error", "kind", "said", "again"),
    [
        (
            TryLaterError(QUOTING, timedelta(minutes=3), code="429"),
            "TryLater",
            "the provider asks to try again later (429)",
            timedelta(minutes=3),
        ),
        (
            SendingStoppedError(QUOTING),
            "SendingStopped",
            "the provider refuses the sender, not the lead",
            timedelta(minutes=10),
        ),
    ],
)
async def test_a_provider_that_cannot_now_is_tried_again_and_the_lead_judged_again(
    house: Database, error: Exception, kind: str, said: str, again: timedelta
) -> None:
    """The failure says when, and nothing of the lead; after the outage the mail goes out once."""
    provider = Scripted(before=[error], knows=False)
    with pytest.raises(ApplicationError) as raised:
        await send(sending(house, provider))
    assert (raised.value.type, raised.value.message, raised.value.next_retry_delay) == (kind, said, again)
    assert raised.value.__cause__ is None
    assert (await only(house, Touch)).state == "deferred"
    assert await send(sending(house, provider, now=LATER)) == StepOutcome(at=LATER, result="sent")
    assert len(provider.kept) == 1


async def test_an_opt_out_during_an_outage_is_respected(house: Database) -> None:
    """Hours of trying later end with the gate, not with the verdict of before."""
    provider = Scripted(before=[TryLaterError()])
    with pytest.raises(ApplicationError):
        await send(sending(house, provider))
    await store(house, Suppression(lead_id="ada", reason="opt-out", source="web", at=MONDAY))
    assert (await send(sending(house, provider, now=LATER))).reason == "suppressed: opt-out"
    assert provider.kept == {}


# At least once


async def one_sprint(lead: Lead) -> Outcome:
    """One mail that must arrive."""
    await lead.send("welcome")
    return nurtured


INSISTING = Registry((track("new-lead", delivery="at_least_once")(one_sprint),))
UNHEARD = timedelta(minutes=10)
"""How long a webhook may take to tell of a send of unknown fate."""


def insisting(database: Database, provider: Scripted, now: datetime = MONDAY) -> SendActivity:
    """The activity on a track that sends at least once, through a provider that cannot be asked."""
    provider.knows = False
    return sending(database, provider, now=now, tracks=INSISTING)


async def lost_sight(database: Database, provider: Scripted, now: datetime = MONDAY) -> timedelta | None:
    """Send, to an unknown fate; when the next try is."""
    with pytest.raises(ApplicationError) as raised:
        await send(insisting(database, provider, now))
    assert raised.value.type == "FateUnknown"
    assert raised.value.__cause__ is None
    return raised.value.next_retry_delay


async def test_at_least_once_waits_for_the_webhook_and_then_sends_the_same_touch_again(house: Database) -> None:
    """Nobody told of the first request within its time, so it counts as lost; the second goes by the same id."""
    provider = Scripted(before=[UnknownFateError(QUOTING, code="timeout")])
    assert await lost_sight(house, provider) == UNHEARD
    begun = await only(house, Touch)
    assert (begun.state, begun.reason.splitlines()[0]) == ("unknown", "the provider never answered (timeout)")
    assert await journal(house) == []
    outcome = await send(insisting(house, provider, MONDAY + UNHEARD))
    assert outcome == StepOutcome(at=MONDAY + UNHEARD, result="sent")
    assert list(provider.kept) == [begun.id]
    assert (await only(house, Touch)).state == "accepted"


async def test_at_least_once_the_webhook_settles_what_it_tells_of(house: Database) -> None:
    """It came while the send waited: nothing is sent again, and the journey dates the send as it was."""
    provider = Scripted(after=[UnknownFateError(QUOTING)])
    await lost_sight(house, provider)
    await webhook_tells(house)
    outcome = await send(insisting(house, provider, MONDAY + UNHEARD))
    assert outcome == StepOutcome(at=MONDAY, result="sent")
    assert provider.asked == 1
    assert await journal(house) == [(1, Done(MONDAY, "send:welcome", "sent"))]


async def test_at_least_once_a_webhook_before_the_failure_leaves_nothing_to_wait_for(house: Database) -> None:
    """The delivery was told of while the answer was awaited in vain."""

    class Overtaken(Scripted):
        async def send(self, envelope: Envelope) -> str:
            self.kept[envelope.touch_id] = envelope
            await webhook_tells(house)
            raise UnknownFateError

    assert (await send(insisting(house, Overtaken()))).result == "sent"


async def test_at_least_once_a_killed_worker_leaves_a_touch_that_waits_and_is_sent(house: Database) -> None:
    """The next try cannot know whether the message left; it gives the webhook its time, and then sends."""
    provider = Scripted(before=[Killed()])
    async with killed():
        await send(insisting(house, provider))
    assert await lost_sight(house, provider, MONDAY + timedelta(minutes=1)) == UNHEARD
    assert provider.asked == 1
    assert (await send(insisting(house, provider, LATER))).result == "sent"
    assert provider.asked == 2


async def test_at_least_once_a_try_that_comes_too_early_waits_for_the_rest(house: Database) -> None:
    """After a pause the journey asks again when it likes; the touch knows since when it is unknown."""
    provider = Scripted(after=[UnknownFateError(QUOTING)])
    await lost_sight(house, provider)
    assert await lost_sight(house, provider, MONDAY + timedelta(minutes=4)) == timedelta(minutes=6)
    assert provider.asked == 1


async def test_at_least_once_still_respects_an_opt_out_since(house: Database) -> None:
    """The gate is asked before each request; what the first one became stays unknown, and counts as a touch."""
    provider = Scripted(after=[UnknownFateError(QUOTING)])
    await lost_sight(house, provider)
    await store(house, Suppression(lead_id="ada", reason="opt-out", source="web", at=MONDAY))
    outcome = await send(insisting(house, provider, LATER))
    said = "whether it was sent is not known, and it is not sent again: suppressed: opt-out"
    assert (outcome.result, outcome.reason) == ("unknown", said)
    assert provider.asked == 1
    assert (await only(house, Touch)).state == "unknown"


async def test_at_least_once_a_second_request_into_quiet_hours_waits_for_the_window(house: Database) -> None:
    """Put off by the gate it is still unknown, not unsent, and goes out when the window opens."""
    provider = Scripted(before=[UnknownFateError(QUOTING)])
    await lost_sight(house, provider)
    put_off = await send(insisting(house, provider, SATURDAY))
    assert (put_off.result, (await only(house, Touch)).state) == ("deferred", "unknown")
    assert put_off.until is not None
    assert (await send(insisting(house, provider, put_off.until), order(now=put_off.until))).result == "sent"


@pytest.mark.parametrize("error", [TryLaterError(code="429"), SendingStoppedError(), UnknownFateError()])
async def test_at_least_once_a_second_request_that_fails_says_nothing_of_the_first(
    house: Database, error: Exception
) -> None:
    """A 429 to the second does not make the first unsent: a webhook can still settle the touch, and it is tried on."""
    provider = Scripted(before=[UnknownFateError(QUOTING), error])
    await lost_sight(house, provider)
    with pytest.raises(ApplicationError):
        await send(insisting(house, provider, MONDAY + UNHEARD))
    assert (await only(house, Touch)).state == "unknown"
    assert (await send(insisting(house, provider, MONDAY + 3 * UNHEARD))).result == "sent"
    assert provider.asked == 3


async def test_at_least_once_a_refusal_of_the_second_request_ends_it_as_unknown(house: Database) -> None:
    """The provider will never take it, and of the first nobody knows."""
    provider = Scripted(before=[UnknownFateError(QUOTING), NotSentError(QUOTING, code="400")])
    await lost_sight(house, provider)
    assert (await send(insisting(house, provider, MONDAY + UNHEARD))).result == "unknown"
    assert [fact.result for _, fact in await journal(house) if isinstance(fact, Done)] == ["unknown"]


async def test_at_least_once_gives_up_when_neither_answers_nor_webhooks_come_through(house: Database) -> None:
    """A lead gets no mail an hour for ever; but after a long outage the first unknown send is still sent again."""
    provider = Scripted(before=[UnknownFateError(QUOTING), UnknownFateError(QUOTING)])
    late = ActivityEnvironment()
    late.info = replace(late.info, attempt=MOST_TRIES)
    with pytest.raises(ApplicationError, match="never answered"):
        await late.run(insisting(house, provider).send, order())
    outcome = await late.run(insisting(house, provider, LATER).send, order())
    assert (outcome.result, provider.asked) == ("unknown", 2)
    assert [fact.result for _, fact in await journal(house) if isinstance(fact, Done)] == ["unknown"]


async def test_at_least_once_a_fast_clock_leaves_the_webhook_its_real_seconds(house: Database) -> None:
    """At a day a second ten minutes are seven milliseconds, which no webhook keeps to."""
    wall = datetime(2026, 11, 2, tzinfo=UTC)
    moment = LiveClock(Clock(real=wall, virtual=MONDAY, speed=86_400.0), lambda: wall)
    provider = Scripted(after=[UnknownFateError(QUOTING)])
    with pytest.raises(ApplicationError) as raised:
        await send(replace(insisting(house, provider), time=moment))
    assert raised.value.next_retry_delay == timedelta(seconds=5)


async def webhook_tells(database: Database) -> None:
    """The provider's webhook says that it took Ada's mail."""
    body = {"event": "delivered", TOUCH_ARGUMENT: (await only(database, Touch)).id, "timestamp": MONDAY.timestamp()}
    event = Event(source="sendgrid", fingerprint="f", event_id="e", received_at=MONDAY, body=body)
    async with database.writing() as session:
        await read_sendgrid(session, event)


# Content


async def test_a_piece_that_is_not_there_is_named_and_leaves_no_touch(house: Database) -> None:
    """The engineer reads which piece; nothing half done is in the ledger."""
    with pytest.raises(ContentError, match="welcom: no such content piece"):
        await send(sending(house, Scripted()), order(Send("send:welcom", "welcom")))
    assert await rows(house, Touch) == []


async def test_a_piece_renamed_since_the_decision_is_sent_under_its_new_name(house: Database) -> None:
    """A worker with the new content may get an order that one with the old content gave."""
    renamed = replace(CATALOGUE.get("welcome"), id="hello", was=("welcome",))
    await send(sending(house, DatabaseProvider(house), catalogue=Catalogue({"hello": renamed})))
    touch = await only(house, Touch)
    assert (touch.step_key, touch.piece, touch.state) == ("send:welcome", "hello", "accepted")


async def test_a_piece_that_does_not_render_for_a_lead_is_named_without_the_lead(house: Database) -> None:
    """A template's error quotes the value it met; what goes into the history does not."""
    front = "---\nsubject: Hello\npreheader: Hello\nstage: awareness\nformat: welcome\n---\n"
    piece = parse_piece("welcome", front + "{{ {'Grace': 1}[first_name] }} [go](https://northwind.example)")
    broken = sending(house, Scripted(), catalogue=Catalogue({"welcome": piece}))
    with pytest.raises(ApplicationError) as raised:
        await send(broken)
    assert (raised.value.type, raised.value.message) == ("ContentError", "welcome does not render for this lead")
    assert raised.value.__suppress_context__, "Temporal would write the template's own error beside it"
    assert (await only(house, Touch)).state == "deferred", "it surely was not sent"


async def test_a_foreign_step_is_no_send(house: Database) -> None:
    """An order of another kind is our own mistake and says so."""
    with pytest.raises(TypeError, match="send got a hand_off"):
        await send(sending(house, Scripted()), order(HandOff("hand_off:sales", "sales", "")))


# What a provider without webhooks says of the address


async def test_a_dead_address_is_stored_as_the_behaviour_that_it_is(database: Database) -> None:
    """The relay suppresses the lead by it, and tells the journeys; a second try stores it once."""
    await enrolled(database)
    provider = Scripted(before=[NotSentError("no such user", code="550", bounce="hard")])
    outcome = await ActivityEnvironment().run(sending(database, provider).send, order())
    assert (outcome.result, outcome.reason) == ("refused", "the provider refused it (550)")
    await ActivityEnvironment().run(sending(database, provider).send, order())
    event, touch = await only(database, Event), await only(database, Touch)
    assert (event.source, event.lead_id, event.event_id) == ("own", "ada", f"bounce-{touch.id}")
    assert (event.body["name"], event.body["touch_id"]) == ("email.bounced", touch.id)


def tried(attempt: int) -> ActivityEnvironment:
    """The try of this number."""
    found = ActivityEnvironment()
    found.info = replace(found.info, attempt=attempt)
    return found


async def test_a_mailbox_that_is_away_is_given_up_after_some_tries_and_counts(database: Database) -> None:
    """As SendGrid's soft bounces do: five in a row are a dead address."""
    await enrolled(database)
    away = TryLaterError("mailbox full", code="452", soft=True)
    provider = Scripted(before=[away] * SOFT_TRIES)
    for attempt in range(1, SOFT_TRIES):
        with pytest.raises(ApplicationError) as later:
            await tried(attempt).run(sending(database, provider).send, order())
        assert later.value.next_retry_delay == SOFT_PAUSE
    outcome = await tried(SOFT_TRIES).run(sending(database, provider).send, order())
    assert (outcome.result, outcome.reason) == ("refused", "the mailbox was away each time (452)")
    assert (await only(database, LeadRow)).soft_bounces == 1
    assert await rows(database, Event) == []


async def test_accepted_is_delivered_where_nobody_tells_more(database: Database) -> None:
    """And ends a row of soft bounces."""
    await enrolled(database)
    async with database.writing() as session:
        await session.execute(update(LeadRow).values(soft_bounces=3))
    provider = Scripted()
    provider.acceptance_is_all = True  # type: ignore[attr-defined]
    await ActivityEnvironment().run(sending(database, provider).send, order())
    touch = await only(database, Touch)
    assert (touch.delivery, touch.delivered_at) == ("delivered", MONDAY)
    assert (await only(database, LeadRow)).soft_bounces == 0


async def test_a_click_while_the_mail_is_handed_over_is_taken_back_when_the_server_has_it(database: Database) -> None:
    """By SMTP a gateway scans before it accepts: the click is told before the delivery is known."""
    await enrolled(database)

    class Scanned(Scripted):
        """Clicks a link before it accepts."""

        acceptance_is_all = True

        async def send(self, envelope: Envelope) -> str:
            async with database.writing() as session:
                (touch,) = await session.scalars(select(Touch))
                session.add(
                    BehaviourRow(
                        id="click",
                        lead_id=touch.lead_id,
                        name="email.clicked",
                        props={"url": "/guide", "agent": "Mozilla/5.0"},
                        touch_id=touch.id,
                        at=MONDAY - timedelta(seconds=1),
                        received_at=MONDAY,
                    )
                )
            return await super().send(envelope)

    await ActivityEnvironment().run(sending(database, Scanned()).send, order())
    assert (await only(database, BehaviourRow)).bot
