"""Temporal holds opaque ids and no personal data: every byte of the histories is searched, payloads decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select
from temporalio import activity
from temporalio.client import WorkflowHandle

from models.journeys import Enrolment, HandOffRow
from models.leads import LeadRow
from models.messages import DoOrder, Request
from nurture.journey.facts import Waited
from nurture.journey.lead import Lead
from nurture.journey.matchers import (
    content_downloaded,
    deal_lost,
    form_submitted,
    link_clicked,
    opted_out,
    page_viewed,
)
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.refs import is_ref
from nurture.journey.sales import hand_to_sales
from nurture.journey.track import track
from perennial.channels.database_mail import DatabaseProvider
from perennial.channels.ports import (
    Envelope,
    Fate,
    NotSentError,
    SendingStoppedError,
    TryLaterError,
    UnknownFateError,
)
from perennial.journeys.asked import ask, keep_reason
from perennial.journeys.handles import signal_journey, update_journey
from perennial.platform.database import Database
from tests.engine.rig import Rig, decoded, events, eventually, finished, parked

FIRST, LAST, COMPANY = "Zebulonia", "Quackenbush-Fitzroy", "Xylophonics Unlimited"
ADDRESS = "zebulonia.quackenbush@xylophonics.example"
SECRETS = (FIRST, LAST, COMPANY, "Xylophonics", "Quackenbush", ADDRESS, "zebulonia", "Perennial Sample Co", "/u/tc")
PROFILE: dict[str, Any] = {
    "first_name": FIRST,
    "last_name": LAST,
    "company": COMPANY,
    "email": ADDRESS,
    "email_key": ADDRESS,
}
QUOTING = f"550 5.1.1 <{ADDRESS}>: {FIRST} {LAST} of {COMPANY} unknown"


@track("everything", exits_on=(opted_out,), graduates_at=75)
async def everything(lead: Lead) -> Outcome:
    """Each kind of step once."""
    await lead.send("welcome")
    await lead.wait(days=30, until=link_clicked())
    await lead.send("best-of")
    await lead.wait(days=30)
    await lead.send("last-call")
    await lead.do("look_up", {"limit": 5})
    await lead.alert("look here")
    await lead.enrol("re-engagement")
    return await hand_to_sales(lead)


@dataclass
class Chatty:
    """A provider whose every failure quotes the lead, and which then behaves."""

    mailbox: DatabaseProvider
    failures: list[Exception] = field(default_factory=list)

    async def send(self, envelope: Envelope) -> str:
        """Fail as long as there is a failure left."""
        assert envelope.to == ADDRESS
        if self.failures:
            raise self.failures.pop(0)
        return await self.mailbox.send(envelope)

    async def fate(self, touch_id: str) -> Fate:
        """As the mailbox knows."""
        return await self.mailbox.fate(touch_id)


async def break_the_database(database: Database) -> None:
    """A database error that quotes the row."""
    async with database.writing() as session:
        await session.execute(
            insert(LeadRow).values(id="x", email=ADDRESS, email_key=ADDRESS, first_name=FIRST, created_at=None)
        )


async def test_no_name_address_or_company_is_in_any_history(rig: Rig) -> None:
    """Sends, failures of provider, database and own code, hand-off, alert, enrolment: all in one life."""
    failures: list[Exception] = [
        TryLaterError(QUOTING, timedelta(milliseconds=10), code="429"),
        RuntimeError(QUOTING),
        ValueError(QUOTING),
        UnknownFateError(QUOTING),
        NotSentError(QUOTING, code="550"),
    ]
    broken = [True]

    @activity.defn(name="look_up")
    async def look_up(order: DoOrder) -> str:
        if broken:
            broken.clear()
            await break_the_database(rig.database)
        return "found"

    rig = rig.running(everything, rig.inst.tracks["re-engagement"]).over(
        Chatty(DatabaseProvider(rig.database), failures)
    )
    async with rig.working(look_up):
        handle = await rig.journey_of("everything", "ada", **PROFILE)
        await handle.signal("pause", Request(id="p1", reason="a look"))
        await handle.signal("resume", Request(id="r1"))
        await rig.hears("ada", "email.clicked", "welcome")
        outcome = await finished(handle)
        other = rig.journey("re-engagement", "ada")
        await finished(other)
    assert outcome == "recycled"
    assert failures == []
    assert broken == []

    history = await handle.fetch_history()
    told = decoded(history.to_json_dict()) + decoded((await other.fetch_history()).to_json_dict())
    assert events(history, "ACTIVITY_TASK_COMPLETED") >= 5
    for said in ("hand_off:sales", "ValueError in send", "IntegrityError in", "the provider refused it (550)"):
        assert said in told, f"{said} should be there, or the search proves nothing"
    for secret in SECRETS:
        assert secret not in told


async def test_a_provider_that_stops_us_names_no_lead(still_rig: Rig) -> None:
    """While a failed step is pending, its failure is in the description that the UI shows."""
    provider = Chatty(
        DatabaseProvider(still_rig.database), [SendingStoppedError(QUOTING), SendingStoppedError(QUOTING)]
    )
    rig = still_rig.running(everything).over(provider)
    async with rig.working():
        handle = await rig.journey_of("everything", "ada", **PROFILE)

        async def pending() -> str:
            waiting = (await handle.describe()).raw_description.pending_activities
            return str(waiting[0].last_failure) if waiting and waiting[0].HasField("last_failure") else ""

        told = await eventually(pending)
        assert "the provider refuses the sender, not the lead" in told
        for secret in SECRETS:
            assert secret not in told
        await handle.signal("pause", Request(id="p1"))
        await parked(handle, "send:welcome", "paused")


MARK = "Quixworth Zebulon"
"""A name, put into every field that the world can fill."""

OPENED: dict[str, str] = {
    "page.viewed": "/u/quixworth-zebulon",
    "form.submitted": f"call {MARK} back",
    "content.downloaded": f"offer for {MARK}",
    "event.attended": f"lunch with {MARK}",
    "sales.rejected": f"{MARK} is away",
}


@track("worded", exits_on=(opted_out, deal_lost()))
async def worded(lead: Lead) -> Outcome:
    """Reads what the world fills in, and waits for what it says."""
    if lead.trait("nickname") == "nobody":
        return nurtured
    await lead.send("welcome")
    await lead.wait(days=300, until=page_viewed("/u/*"))
    await lead.wait(days=300, until=form_submitted())
    await lead.hand_off("sales", reason=f"was called {lead.trait('nickname')}")
    await lead.wait(days=300, until=content_downloaded())
    await lead.wait(days=300)
    await lead.wait(days=300)
    return nurtured


async def everything_told(rig: Rig, handle: WorkflowHandle[Any, Any]) -> str:
    """What Temporal holds of a journey: history, search attributes, memo and page, in lower case."""
    described = await handle.describe()
    told = [decoded((await handle.fetch_history()).to_json_dict()), str(described.raw_description)]
    told += [str(described.typed_search_attributes), str(await described.memo()), str(await described.static_summary())]
    told.append((await handle.query("journal")).__repr__())
    return "\n".join(told).lower()


async def test_nothing_that_a_stranger_or_a_person_wrote_is_in_temporal(still_rig: Rig) -> None:
    """Traits, causes, subjects and reasons: references in Temporal, words in the database, which decides by them."""
    rig = still_rig.running(worded)
    async with rig.working():
        traits = {"nickname": MARK, "quixworth-zebulon": "yes"}
        await rig.add_leads("zeb", traits=traits)
        await rig.inst.enroller.enrol("worded", rig.id("zeb"), rig.inst.now(), f"{MARK} asked for it")
        handle = rig.journey("worded", "zeb")
        await parked(handle, "send:welcome/wait")
        enrolment_id = f"worded/{rig.id('zeb')}/1"
        await rig.hears("zeb", "page.viewed", "/pricing")
        stands = ("send:welcome/wait~2", "hand_off:sales/wait", *["hand_off:sales/wait~2"] * 3)
        for (name, subject), place in zip(OPENED.items(), stands, strict=True):
            await rig.hears("zeb", name, subject)
            await parked(handle, place)
        for verb in ("pause", "resume"):
            request = Request(id=f"asked:{verb}", reason=f"{MARK} said {verb}")
            async with rig.database.transaction() as connection:
                request = await ask(connection, [enrolment_id], verb, request, rig.inst.now(), typed=True)
            await signal_journey(rig.inst.client, enrolment_id, verb, request)
            await parked(handle, "hand_off:sales/wait~2", "paused" if verb == "pause" else "wait")
        async with rig.database.transaction() as connection:
            order = await keep_reason(connection, enrolment_id, Request(id="asked:o", reason=f"{MARK} cannot wait"))
        await update_journey(rig.inst.client, enrolment_id, "override", order)
        await rig.hears("zeb", "deal.lost", f"{MARK} chose another")
        outcome = await finished(handle)
        told = await everything_told(rig, handle)
    assert outcome.startswith("exited: deal was lost ref:")
    assert "ref:" in told, "or the search proves nothing"
    for said in ("quixworth", "zebulon"):
        assert [line for line in told.splitlines() if said in line] == []
    in_database = "\n".join(map(str, await rig.facts("worded", "zeb")))
    for said in (*OPENED.values(), f"{MARK} said pause", f"{MARK} cannot wait", f"{MARK} asked for it"):
        assert said in in_database or said == OPENED["sales.rejected"], said
    async with rig.database.reading() as session:
        offer = await session.scalar(select(HandOffRow.reason))
        outcome_there = (await session.get_one(Enrolment, enrolment_id)).outcome
    assert offer == f"was called {MARK}"
    assert outcome_there == f"exited: deal was lost {MARK} chose another"


async def test_a_reference_wakes_a_journey_only_if_its_words_fit(still_rig: Rig) -> None:
    """Temporal knows the name of a behaviour; the page is matched where the words are."""
    rig = still_rig.running(worded)
    async with rig.working():
        handle = await rig.journey_of("worded", "ada")
        await parked(handle, "send:welcome/wait")
        await rig.hears("ada", "page.viewed", "/pricing")
        await rig.hears("ada", "page.viewed", "/u/me")
        view = await parked(handle, "send:welcome/wait~2")
    waited = [fact for fact in view.facts if isinstance(fact, Waited)]
    assert len(waited) == 1
    assert is_ref(waited[0].subject)
    kept = [fact for fact in await rig.facts("worded", "ada") if isinstance(fact, Waited)]
    assert kept[0].subject == "/u/me"
