"""The relay beside a Temporal that refuses: whose events wait, whose go on, what is put aside. On both databases."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from sqlalchemy import delete, select, update
from temporalio.api.common.v1 import GrpcStatus
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from models.intake import Event
from models.journeys import Alert, AskedRow, Enrolment, Unheard
from models.leads import BehaviourRow
from models.shared import Lease
from nurture.journey.track import Registry
from nurture.people.scoring import DEFAULT_MODEL
from nurture.timing.clock import Clock
from perennial.app.sources import translator
from perennial.intake import own
from perennial.intake.doorbell import doorbell
from perennial.intake.failed import count_failed, failures, pass_on_again
from perennial.intake.listener import Listener
from perennial.intake.meaning import Meaning
from perennial.intake.outbox import Incoming, store
from perennial.intake.prompting import AGAIN, GRACE, Prompter
from perennial.intake.reading import Batch
from perennial.intake.relay import Relay
from perennial.intake.shares import LEASE, PARTS, RENEW, Shares
from perennial.intake.telling import LONGEST_PAUSE, TRIES, Fates, Teller
from perennial.journeys.asked import ask_to_exit
from perennial.journeys.enrolling import Enroller
from perennial.journeys.handles import running
from perennial.platform.clock import LiveClock
from perennial.platform.database import Database
from tests.builders import NOON, SECRETS, enrolment, person, touch
from tests.builders import store as keep

LEADS = ("l1", "l2", "l3")


@dataclass
class Journeys:
    """A Temporal that keeps what each journey is told, and answers as it is set to: by workflow, else `everybody`."""

    answers: dict[str, Exception] = field(default_factory=dict)
    everybody: RPCError | None = None
    told: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def get_workflow_handle(self, workflow: str) -> Journey:
        """The handle of a journey."""
        return Journey(self, workflow)


@dataclass
class Journey:
    """One journey's handle."""

    journeys: Journeys
    workflow: str

    async def signal(self, name: str, said: Any) -> None:
        """Hear behaviours, or raise what is set."""
        if error := self.journeys.answers.get(self.workflow, self.journeys.everybody):
            raise error
        self.journeys.told[self.workflow] += [one.id for one in (said.items if name == "behaviours" else [said])]


def refusal(status: RPCStatusCode, message: str = "no", *details: Any) -> RPCError:
    """An error as the server words it."""
    packed = []
    for detail in details:
        one = AnyMessage()
        one.Pack(detail)
        packed.append(one)
    return RPCError(message, status, GrpcStatus(message=message, details=packed).SerializeToString())


@dataclass
class Stand:
    """Three leads, each on a journey that hears everything, a relay, and the time that retries go by."""

    database: Database
    journeys: Journeys
    relay: Relay
    seconds: float = 0.0

    async def clicks(self, *leads: str, first: int = 1) -> None:
        """A click of each of these leads, numbered in order."""
        await store(self.database, [click(number, lead) for number, lead in enumerate(leads, first)])

    async def states(self) -> dict[str, str]:
        """The state of each event, by id."""
        async with self.database.reading() as session:
            rows = await session.execute(select(Event.event_id, Event.state).order_by(Event.id))
            return {str(id_): state for id_, state in rows}

    async def drained(self) -> None:
        """Drain until nothing is left that is due."""
        while await self.relay.drain():
            pass


def click(number: int, lead: str) -> Incoming:
    """A click as the outbox holds it."""
    body = {"name": "email.clicked", "props": {"piece": "welcome"}, "at": NOON.isoformat(), "touch_id": None}
    return Incoming(own.SOURCE, f"e{number}", (number,), body, NOON, lead_id=lead)


def relay_over(database: Database, journeys: Journeys) -> Relay:
    """A relay that tells these journeys, and starts none."""
    client = cast("Client", journeys)
    enroller = Enroller(database, client, Registry(()), "nurture", Clock.production())
    listener = Listener(database, client, enroller, DEFAULT_MODEL)
    return Relay(database, listener, translator(SECRETS, DEFAULT_MODEL))


@pytest.fixture
async def stand(database: Database) -> Stand:
    """The stand."""
    await keep(database, *(person(lead) for lead in LEADS), *(enrolment("new-lead", lead) for lead in LEADS))
    journeys = Journeys()
    relay = relay_over(database, journeys)
    made = Stand(database, journeys, relay)
    relay.teller = Teller(relay.listener, now=lambda: made.seconds)
    return made


async def test_what_a_lead_did_is_told_in_order_and_counts_once(stand: Stand) -> None:
    """Three leads' clicks in turn, told twice."""
    await stand.clicks("l1", "l2", "l1", "l3", "l1")
    await stand.drained()
    assert stand.journeys.told == {
        "new-lead/l1": ["e1", "e3", "e5"],
        "new-lead/l2": ["e2"],
        "new-lead/l3": ["e4"],
    }
    await stand.clicks("l1", "l2", "l1", "l3", "l1")
    await stand.drained()
    async with stand.database.reading() as session:
        assert len((await session.scalars(select(BehaviourRow.id))).all()) == 5
    assert set((await stand.states()).values()) == {"done"}


@pytest.mark.parametrize("fault", [OverflowError, KeyError, TypeError, ValueError, AttributeError])
async def test_an_event_that_cannot_be_recorded_is_put_aside_alone_and_told_again_once_mended(
    stand: Stand, fault: type[Exception]
) -> None:
    """Its reader fails as a bug would; those before and after it, of its own lead too, are told."""
    broken = True

    async def read(session: Any, event: Event) -> Meaning:
        if broken and event.event_id == "e2":
            raise fault("a bug of ours")
        return await own.read_own(session, event)

    stand.relay.translator = translator(SECRETS, DEFAULT_MODEL)
    stand.relay.translator = type(stand.relay.translator)({own.SOURCE: read})
    await stand.clicks("l1", "l1", "l1", "l2")
    await stand.drained()
    assert await stand.states() == {"e1": "done", "e2": "failed", "e3": "done", "e4": "done"}
    async with stand.database.reading() as session:
        assert await count_failed(session) == 1
        (why,) = await failures(session)
    assert why.text == f"1 of own's events could not be passed on: cannot be recorded: {fault.__name__}"
    broken = False
    async with stand.database.writing() as session:
        await pass_on_again(session, "crm")
    assert (await stand.states())["e2"] == "failed"
    async with stand.database.writing() as session:
        await pass_on_again(session)
    await stand.drained()
    assert (await stand.states())["e2"] == "done"
    assert stand.journeys.told["new-lead/l1"] == ["e1", "e3", "e2"]


async def test_an_event_that_makes_no_sense_is_ignored_and_nobody_waits_for_it(stand: Stand) -> None:
    """It says so itself, as an InputError: no fault of ours, nothing to tell again."""
    await store(stand.database, [Incoming("elsewhere", "x1", ("x1",), {}, NOON), click(2, "l2")])
    await stand.drained()
    assert await stand.states() == {"x1": "ignored", "e2": "done"}


async def test_a_fault_of_ours_in_telling_one_lead_stops_nobody_else(stand: Stand) -> None:
    """It is tried a few times, put aside with its kind, and told again by command once it is mended."""
    stand.journeys.answers["new-lead/l1"] = KeyError("a bug of ours")
    await stand.clicks("l1", "l2", "l1")
    for told_again in range(1, TRIES):
        await stand.drained()
        assert await stand.states() == {"e1": "new", "e2": "done", "e3": "new"}, told_again
        stand.seconds += LONGEST_PAUSE
    await stand.drained()
    assert await stand.states() == {"e1": "failed", "e2": "done", "e3": "failed"}
    async with stand.database.reading() as session:
        (why,) = await failures(session)
    assert why.text == "2 of own's events could not be passed on: cannot be told: KeyError"
    del stand.journeys.answers["new-lead/l1"]
    async with stand.database.writing() as session:
        await pass_on_again(session)
    await stand.drained()
    assert stand.journeys.told == {"new-lead/l1": ["e1", "e3"], "new-lead/l2": ["e2"]}


async def test_behaviours_of_an_enrolment_that_was_removed_hold_back_nobody(stand: Stand) -> None:
    """Its retention ended between the recording and the telling."""
    stand.journeys.answers["new-lead/l1"] = refusal(RPCStatusCode.NOT_FOUND, "workflow not found")
    await stand.clicks("l1", "l2")
    numbers = await stand.relay._waiting()
    reads = await stand.relay._recorded(numbers, Batch())
    async with stand.database.writing() as session:
        await session.execute(delete(Enrolment).where(Enrolment.id == "new-lead/l1/1"))
    fates = await stand.relay.teller.tell([receipt for read in reads for receipt in read.receipts])
    assert fates == Fates()


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_date_at_the_edge_of_the_calendar_is_an_events_own_trouble(stand: Stand, at: str) -> None:
    """A CRM's `deal.lost` in the year 1, with an offset: no moment of UTC."""
    body = {"type": "deal.lost", "data": {"lead": "l1", "reason": "price", "at": at}}
    await store(stand.database, [Incoming("crm", "w1", ("w1",), body, NOON, lead_id="l1"), click(2, "l2")])
    await stand.drained()
    assert set((await stand.states()).values()) == {"done"}
    assert stand.journeys.told["new-lead/l2"] == ["e2"]
    async with stand.database.reading() as session:
        assert await session.scalar(select(BehaviourRow.at).where(BehaviourRow.name == "deal.lost")) == NOON


@pytest.mark.parametrize(
    "status", [RPCStatusCode.INTERNAL, RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.FAILED_PRECONDITION]
)
async def test_a_journey_that_does_not_answer_holds_back_its_own_lead_alone(
    stand: Stand, status: RPCStatusCode
) -> None:
    """Neither its batch nor the queue behind it; and what its lead does next comes after what it did first."""
    stand.journeys.answers["new-lead/l1"] = refusal(status)
    await stand.clicks("l1", "l2")
    await stand.drained()
    await stand.clicks("l1", "l3", first=3)
    await stand.drained()
    assert await stand.states() == {"e1": "new", "e2": "done", "e3": "new", "e4": "done"}
    stand.journeys.answers.clear()
    await stand.drained()
    assert (await stand.states())["e1"] == "new", "told before its time"
    stand.seconds += 120
    await stand.drained()
    assert set((await stand.states()).values()) == {"done"}
    assert stand.journeys.told["new-lead/l1"] == ["e1", "e3"]


@pytest.mark.parametrize(
    "error",
    [
        refusal(RPCStatusCode.UNAVAILABLE),
        refusal(RPCStatusCode.UNAUTHENTICATED),
        refusal(RPCStatusCode.PERMISSION_DENIED),
        refusal(RPCStatusCode.UNIMPLEMENTED),
        refusal(RPCStatusCode.NOT_FOUND, "Namespace x is not found.", NamespaceNotFoundFailure(namespace="x")),
        refusal(RPCStatusCode.INVALID_ARGUMENT, "Namespace x has no mapping defined for search attribute Stage"),
    ],
    ids=lambda error: f"{error.status.name} {error.message}",
)
async def test_an_outage_is_never_written_down_as_a_journeys_refusal(stand: Stand, error: RPCError) -> None:
    """Everything waits, in order, and is told once it is over."""
    stand.journeys.everybody = error
    await stand.clicks("l1", "l2", "l1")
    with pytest.raises(RPCError):
        await stand.relay.drain()
    assert set((await stand.states()).values()) == {"new"}
    stand.journeys.everybody = None
    await stand.drained()
    assert stand.journeys.told == {"new-lead/l1": ["e1", "e3"], "new-lead/l2": ["e2"]}


async def test_what_a_journey_refuses_for_good_is_put_aside_and_counted(stand: Stand) -> None:
    """Too large for Temporal: the same again would get the same answer."""
    stand.journeys.answers["new-lead/l1"] = refusal(RPCStatusCode.INVALID_ARGUMENT, "Blob data size exceeds limit.")
    await stand.clicks("l1", "l2")
    await stand.drained()
    assert await stand.states() == {"e1": "failed", "e2": "done"}


@pytest.mark.parametrize(
    ("status", "state", "waiting", "alerts"),
    [("finished", "done", 0, 0), ("starting", "done", 1, 0), ("active", "failed", 1, 1), ("paused", "failed", 1, 1)],
)
async def test_a_journey_that_temporal_does_not_know_is_lost_unless_it_ended_or_is_starting(
    stand: Stand, status: str, state: str, waiting: int, alerts: int
) -> None:
    """It ended just after the behaviour was recorded, or has yet to start; else Temporal came back empty."""
    gone = refusal(RPCStatusCode.NOT_FOUND, "workflow not found for ID: new-lead/l1")

    @dataclass
    class Ending(Journeys):
        def get_workflow_handle(self, workflow: str) -> Journey:
            return EndingJourney(self, workflow)

    @dataclass
    class EndingJourney(Journey):
        async def signal(self, name: str, said: Any) -> None:
            async with stand.database.writing() as session:
                (await session.get_one(Enrolment, "new-lead/l1/1")).status = status
            raise gone

    relay = relay_over(stand.database, Ending())
    await stand.clicks("l1")
    await relay.drain()
    assert await stand.states() == {"e1": state}
    async with stand.database.reading() as session:
        assert len((await session.scalars(select(Unheard.behaviour_id))).all()) == waiting
        assert len((await session.scalars(select(Alert.text))).all()) == alerts


async def test_a_journey_is_told_what_is_asked_of_it_until_it_has_heard(stand: Stand) -> None:
    """Not in the first seconds, as whoever asked tells it too; then again and again, also after an outage."""
    seconds = 0.0
    told: list[tuple[str, str]] = []

    @dataclass
    class Hearing(Journey):
        async def signal(self, name: str, said: Any) -> None:
            if error := self.journeys.everybody:
                raise error
            told.append((self.workflow, f"{name} {said.reason}"))

    @dataclass
    class Hearers(Journeys):
        def get_workflow_handle(self, workflow: str) -> Journey:
            return Hearing(self, workflow)

    journeys = Hearers(everybody=refusal(RPCStatusCode.UNAVAILABLE))
    prompter = Prompter(stand.database, cast("Client", journeys), LiveClock(Clock.production()), now=lambda: seconds)
    async with stand.database.writing() as session:
        left = await running(session, LEADS[:2])
        await ask_to_exit(session, left, "asked by phone", NOON)
        (await session.get_one(Enrolment, "new-lead/l2/1")).status = "finished"
    await prompter.prompt()
    assert told == []
    seconds = GRACE + 1
    with pytest.raises(RPCError):
        await prompter.prompt()
    journeys.everybody = None
    seconds += AGAIN + 1
    await prompter.prompt()
    await prompter.prompt()
    assert told == [("new-lead/l1", "exit asked by phone")]
    seconds += AGAIN + 1
    await prompter.prompt()
    assert len(told) == 2
    async with stand.database.reading() as session:
        assert list(await session.scalars(select(AskedRow.enrolment_id))) == ["new-lead/l1/1"]
        assert list(await session.scalars(select(Alert.text))) == []
    journeys.everybody = refusal(RPCStatusCode.NOT_FOUND, "no such namespace", NamespaceNotFoundFailure())
    seconds += AGAIN + 1
    with pytest.raises(RPCError):
        await prompter.prompt()
    journeys.everybody = refusal(RPCStatusCode.NOT_FOUND, "workflow not found")
    seconds += AGAIN + 1
    await prompter.prompt()
    async with stand.database.reading() as session:
        assert list(await session.scalars(select(Alert.step_key))) == ["lost"], "it should run, and does not"


async def test_whoever_stores_an_event_rings(database: Database) -> None:
    """The relay would otherwise look a minute from now."""
    await keep(database, person("l1"))
    async with asyncio.timeout(20), doorbell(database) as bell:
        await bell.rung(asyncio.Event(), 1)  # what was there when it was hung up
        ringing = asyncio.create_task(bell.rung(asyncio.Event(), 60))
        other = Database(database.url.render_as_string(hide_password=False))
        await store(other, [click(1, "l1")])
        await ringing
        await other.close()


@pytest.mark.parametrize("backend", ["postgresql"])
async def test_relays_share_the_leads_out_and_take_over_from_one_that_is_gone(database: Database) -> None:
    """Each part is one relay's; a relay that leaves, or whose lease is over, has its parts taken over."""
    first, second = Shares(database), Shares(database)
    assert await first.renew() == tuple(range(PARTS))
    assert await second.renew() == ()
    await first.renew()
    await second.renew()
    assert len(first.held) == len(second.held) == PARTS // 2
    assert not set(first.held) & set(second.held)
    await second.give_up()
    assert await first.renew() == tuple(range(PARTS))
    assert timedelta(seconds=10) > LEASE + RENEW, "what a killed relay held is free, and looked for, by then"
    async with database.writing() as session:
        await session.execute(update(Lease).values(until=datetime.now(UTC) - timedelta(seconds=1)))
    assert await second.renew() == tuple(range(PARTS))


@pytest.mark.parametrize("backend", ["postgresql"])
async def test_each_event_is_in_one_part_and_those_of_a_lead_in_the_same(database: Database) -> None:
    """Whatever names the lead: its id, or a mail that it got, in SendGrid's words or in ours; else the visitor."""
    leads = [f"l{number}" for number in range(20)]
    await keep(database, *map(person, leads), *(enrolment(lead_id=lead) for lead in leads))
    await keep(database, *(touch(f"t-{lead}", lead_id=lead) for lead in leads))
    events = [
        Incoming("sendgrid", f"{lead}{number}", (lead, number), body, NOON, named, visitor)
        for lead in leads
        for number, (named, visitor, body) in enumerate(
            [
                (lead, None, {}),
                (None, None, {"perennial_touch_id": f"t-{lead}"}),
                (None, "v1", {"touch_id": f"t-{lead}"}),
                (lead, "v1", {"perennial_touch_id": "t-l0"}),
                (None, "v1", {}),
                (None, None, {}),
            ]
        )
    ]
    await store(database, events)
    parts: dict[str, list[int]] = defaultdict(list)
    async with database.reading() as session:
        for part in range(PARTS):
            shares = Shares(database, held=(part,))
            for id_ in await session.scalars(select(Event.event_id).where(shares.mine())):
                parts[str(id_)].append(part)
    assert [len(found) for found in parts.values()] == [1] * len(events)
    of_leads = [{parts[f"{lead}{number}"][0] for number in range(4)} for lead in leads]
    assert [len(found) for found in of_leads] == [1] * len(leads)
    assert len(set.union(*of_leads)) > PARTS // 2, "leads are spread over the parts"
    assert len({parts[f"{lead}4"][0] for lead in leads}) == 1, "a visitor's events stay together"
