"""A word of its own in every field that the world can fill, searched for in all that Temporal holds of a life.

What is found is listed here: subjects that journeys match on, traits that tracks branch on, and the reasons that people
type. Whoever keeps one of them out takes it off the list; whoever adds a field adds a marker.
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
from perennial.intake.reports import Report
from perennial.journeys.asked import ask_to_exit, tell_asked
from perennial.journeys.handles import signal_journey, update_journey
from perennial.leads import consent
from perennial.leads.identity import write_identity
from tests.engine.rig import MONDAY, Rig, decoded, finished, parked

ADDRESS = "zebulonia.quackenbush@xylophonics.example"
HEARD = ("page.viewed", "form.submitted", "event.attended", "deal.lost", "sales.rejected", "demo.requested")
KNOWN = {
    "page.viewed path",
    "form.submitted form",
    "event.attended event",
    "deal.lost reason",
    "sales.rejected reason",
    "trait",
    "pause reason",
    "override reason",
    "exit reason",
}
"""What Temporal holds of strangers' words until its namespace's retention, also after an erasure."""


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


async def test_temporal_holds_no_address_and_of_strangers_words_only_the_known_ones(still_rig: Rig) -> None:
    """Names, ids, consents, properties, provider's words: none. No address at all, in whatever field it was put."""
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
        await signal_journey(rig.inst.client, enrolment, "pause", Request(id="p", reason=marker("pause reason")))
        await parked(handle, "send:welcome/wait", "paused")
        await signal_journey(rig.inst.client, enrolment, "resume", Request(id="r"))
        await parked(handle, "send:welcome/wait")
        await update_journey(rig.inst.client, enrolment, "override", Request(id="o", reason=marker("override reason")))
        await parked(handle, "alert:look here/wait")
        async with rig.database.writing() as session:
            asked = await ask_to_exit(session, [enrolment], marker("exit reason"), rig.inst.now())
        await tell_asked(rig.inst.client, asked)
        await finished(handle)

    description = await handle.describe()
    said = decoded((await handle.fetch_history()).to_json_dict()) + str(description.raw_description)
    async for listed in rig.inst.client.list_workflows(f"WorkflowId = '{handle.id}'"):
        said += str(listed.raw_info)
    assert "exited: " in said, "or the search proves nothing"
    assert [part for part in ("zebulonia", "quackenbush", "xylophonics") if part in said.lower()] == []
    assert marker.found_in(said) == KNOWN
