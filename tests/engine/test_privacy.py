"""Temporal holds opaque ids and no personal data: every byte of the histories is searched, payloads decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import insert
from temporalio import activity

from models.leads import LeadRow
from models.messages import DoOrder, Request
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, opted_out
from nurture.journey.outcomes import Outcome
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
