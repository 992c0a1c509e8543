"""A word of its own in every field that the world can fill, searched for in all that Temporal holds of a life.

None is found: Temporal has references. Whoever adds a field adds a marker.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from models.messages import Request
from models.touches import Touch
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, opted_out
from nurture.journey.outcomes import Outcome
from nurture.journey.sales import hand_to_sales
from nurture.journey.track import track
from nurture.people.behaviours import BEHAVIOURS
from perennial.intake.prompting import EVERY, GRACE, Prompter
from perennial.intake.reports import Report
from perennial.journeys.asked import ask, keep_reason
from perennial.journeys.handles import signal_journey, update_journey
from perennial.leads import consent
from perennial.leads.identity import write_identity
from perennial.platform.clock import LiveClock
from tests.engine.rig import MONDAY, Rig, decoded, finished, parked

ADDRESS = "zebulonia.quackenbush@xylophonics.example"
HEARD = ("page.viewed", "form.submitted", "event.attended", "deal.lost", "sales.rejected", "demo.requested")


@track("marked", exits_on=(opted_out,), graduates_at=100)
async def marked(lead: Lead) -> Outcome:
    """A mail, an alert, sales."""
    await lead.send("welcome")
    await lead.wait(days=30, until=link_clicked())
    await lead.alert("look here")
    await lead.wait(days=30)
    return await hand_to_sales(lead)


class Markers:
    """Words that occur nowhere else, by the field they are put into; each beside an address."""

    def __init__(self) -> None:
        self.by_field: dict[str, str] = {}

    def __call__(self, field: str) -> str:
        """A word of this field's, with an address beside it."""
        word = self.by_field.setdefault(field, f"zq{len(self.by_field):02d}marker")
        return f"{word} {ADDRESS}"

    def found_in(self, said: str) -> set[str]:
        """The fields whose words are in there, in any case."""
        return {field for field, word in self.by_field.items() if word in said.lower()}


async def test_temporal_holds_no_address_and_no_word_of_a_stranger_or_a_person(still_rig: Rig) -> None:
    """Names, ids, consents, properties, subjects, traits, provider's words, reasons as the commands hand them on."""
    rig, marker = still_rig.running(marked), Markers()
    profile: dict[str, Any] = {name: marker(name) for name in ("first_name", "last_name", "company", "external_id")}
    traits = {"topic": marker("trait").split()[0]}
    async with rig.working():
        handle = await rig.journey_of("marked", "zeb", **profile, email=ADDRESS, email_key=ADDRESS, traits=traits)
        await parked(handle, "send:welcome/wait")
        lead_id, enrolment = rig.id("zeb"), f"marked/{rig.id('zeb')}/1"
        async with rig.database.writing() as session:
            await write_identity(session, lead_id, "user", marker("user id"), MONDAY)
            await write_identity(session, lead_id, "anonymous", marker("visitor id"), MONDAY)
            source, wording = marker("source").split()[0], marker("wording")
            await consent.grant(session, lead_id, MONDAY, basis="consent", source=source, wording=wording)
            told = {"provider_id": marker("provider id"), "reason": marker("provider reason")}
            await session.execute(update(Touch).values(**told))
        for name in HEARD:
            subject = BEHAVIOURS[name].subject
            props = {"more": marker(f"{name} property")} | ({subject: marker(f"{name} {subject}")} if subject else {})
            await rig.inst.listener.take(Report(f"{name}-{rig.tag}", lead_id, name, props, rig.inst.now()))
        async with rig.database.transaction() as connection:
            given = Request(id="p", reason=marker("pause reason"))
            pause = await ask(connection, [enrolment], "pause", given, rig.inst.now(), typed=True)
        await signal_journey(rig.inst.client, enrolment, "pause", pause)
        await parked(handle, "send:welcome/wait", "paused")
        await signal_journey(rig.inst.client, enrolment, "resume", Request(id="r"))
        await parked(handle, "send:welcome/wait")
        async with rig.database.transaction() as connection:
            override = await keep_reason(connection, enrolment, Request(id="o", reason=marker("override reason")))
        await update_journey(rig.inst.client, enrolment, "override", override)
        await parked(handle, "alert:look here/wait")
        async with rig.database.transaction() as connection:
            given = Request(id="x", reason=marker("exit reason"))
            await ask(connection, [enrolment], "exit", given, rig.inst.now(), typed=True)
        seconds = 0.0
        prompter = Prompter(rig.database, rig.inst.client, LiveClock(rig.inst.clock), now=lambda: seconds)
        await prompter.prompt()
        seconds = GRACE + EVERY
        await prompter.prompt()  # as the relay does, where Temporal was away
        await finished(handle)

    description = await handle.describe()
    said = decoded((await handle.fetch_history()).to_json_dict()) + str(description.raw_description)
    async for listed in rig.inst.client.list_workflows(f"WorkflowId = '{handle.id}'"):
        said += str(listed.raw_info)
    assert "exited: " in said, "or the search proves nothing"
    assert [part for part in ("zebulonia", "quackenbush", "xylophonics") if part in said.lower()] == []
    assert marker.found_in(said) == set()
