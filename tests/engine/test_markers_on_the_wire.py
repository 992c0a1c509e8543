"""A word of its own in every field of a raw call: Segment's, SendGrid's, the CRM's. Temporal has none of them.

They come in by HTTP and through the relay, as the world's do. After the erasure the database's files have none either.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from models.journeys import Enrolment
from models.touches import Touch
from nurture.journey.lead import Lead
from nurture.journey.matchers import form_submitted, page_viewed
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import track
from perennial.app.sources import translator
from perennial.intake.relay import Relay
from perennial.privacy.erase import Eraser
from tests.builders import SECRETS
from tests.engine.rig import Rig, decoded, eventually, parked
from tests.engine.test_markers import Markers
from tests.web.serving import Service, serving

CALLS = ("identify", "track", "page", "screen", "group", "alias")
SENDGRID = ("processed", "deferred", "delivered", "open", "click", "bounce", "dropped", "new kind")
CRM = ("deal.opened", "sales.accepted", "sales.rejected", "deal.won", "deal.lost")


@track("wired")
async def wired(lead: Lead) -> Outcome:
    """Hears views, forms, and all that is read of the lead."""
    await lead.send("welcome")
    while lead.trait("industry") != "nothing":
        await lead.wait(days=300, until=page_viewed() | form_submitted())
    return nurtured


def segment_calls(marker: Markers, address: str) -> list[dict[str, Any]]:
    """A call of each kind, with a marker in every field of it."""
    calls: list[dict[str, Any]] = []
    for kind in CALLS:

        def word(field: str, kind: str = kind) -> str:
            return marker(f"{kind}.{field}")

        names = (
            "firstName",
            "lastName",
            "name",
            "company",
            "industry",
            "phone",
            "title",
            "topic",
            word("trait's name"),
        )
        properties = ("path", "url", "title", "referrer", "name", "form", "piece", "plan", word("property's name"))
        page = {name: f"https://zq.example/{word(f'page {name}')}" for name in ("url", "path", "referrer", "search")}
        traits = {name: word(f"trait {name}") for name in names} | {"email": address}
        calls.append(
            {
                "type": kind,
                "messageId": word("messageId"),
                "userId": "the-user" if kind == "identify" else word("userId"),
                "anonymousId": "the-browser",
                "previousId": word("previousId"),
                "groupId": word("groupId"),
                "event": "Form Submitted" if kind == "track" else word("event"),
                "name": word("name"),
                "category": word("category"),
                "traits": traits,
                "properties": {name: word(f"property {name}") for name in properties},
                "context": {
                    "page": page,
                    "ip": word("ip"),
                    "userAgent": word("agent"),
                    "campaign": {"name": word("campaign")},
                    "traits": traits,
                },
                "integrations": {word("integration"): True},
                word("field"): word("any"),
            }
        )
    return calls


def sendgrid_events(marker: Markers, address: str, touch_id: str) -> list[dict[str, Any]]:
    """An event of each kind, with a marker in every field of it."""
    fields = (
        "sg_event_id",
        "sg_message_id",
        "smtp-id",
        "url",
        "useragent",
        "ip",
        "reason",
        "response",
        "status",
        "type",
    )
    return [
        {
            "event": kind,
            "email": address,
            "timestamp": int(time.time()),
            "perennial_touch_id": touch_id,
            "category": [marker(f"{kind} category")],
            marker(f"{kind} field"): marker(f"{kind} any"),
            **{name: marker(f"{kind} {name}") for name in (*fields, "bounce_classification", "attempt")},
        }
        for kind in SENDGRID
    ]


def posted(service: Service, marker: Markers, address: str, touch_id: str) -> None:
    """Post everything; each call is taken."""
    for call in segment_calls(marker, address):
        assert service.segment("/v1/batch", {"batch": [call]}).status_code == 200
    assert service.sendgrid(sendgrid_events(marker, address, touch_id)).status_code < 300
    for kind in CRM:
        data = {"lead": address, "reason": marker(f"{kind} reason"), "deal": marker(f"{kind} deal")[:100]}
        event = {"type": kind, "data": data | {marker(f"{kind} field"): marker(f"{kind} any")}}
        answer = service.crm(event, webhook_id=marker(f"{kind} id").replace(" ", "-"))
        assert answer.status_code == 200, answer.text


async def told_to_temporal(rig: Rig, *enrolments: str) -> str:
    """Histories and visibility of these journeys."""
    said = ""
    for each in enrolments:
        handle = rig.inst.client.get_workflow_handle(each)
        said += decoded((await handle.fetch_history()).to_json_dict())
        said += str((await handle.describe()).raw_description)
        async for listed in rig.inst.client.list_workflows(f"WorkflowId = '{each}'"):
            said += str(listed.raw_info)
    return said


async def test_no_word_of_a_raw_call_is_in_temporal_or_logs_nor_in_the_files_after_an_erasure(
    still_rig: Rig, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The words are in the database, where the journeys read them, until the lead is erased."""
    rig, marker = still_rig.running(wired, still_rig.inst.tracks["new-lead"]), Markers()
    address = f"zebulonia.{rig.tag}@xylophonics.example"
    relay = Relay(rig.database, rig.inst.listener, translator(SECRETS, rig.inst.scoring))
    async with rig.working():
        handle = await rig.journey_of("wired", "zeb", email=address, email_key=address)
        await parked(handle, "send:welcome/wait")
        async with rig.database.reading() as session:
            touch_id = str(await session.scalar(select(Touch.id)))
        with serving(str(rig.database.url)) as service:
            posted(service, marker, address, touch_id)
        while await relay.drain():
            pass

        async def has_heard() -> bool:
            facts = [getattr(fact, "ended_by", None) or fact.kind for fact in await rig.facts("wired", "zeb")]
            return "waited" in facts or "page.viewed" in facts or "form.submitted" in facts

        await eventually(has_heard)
        async with rig.database.reading() as session:
            enrolments = (await session.scalars(select(Enrolment.track + "/" + Enrolment.lead_id))).all()
        said = await told_to_temporal(rig, *enrolments)
        assert "ref:" in said, "or the search proves nothing"
        assert marker.found_in(said) == set()
        assert "xylophonics" not in said.lower()
        assert len(marker.found_in(on_disk(data_dir))) > len(marker.by_field) / 2, "or the next search proves nothing"
        eraser = Eraser(rig.database, SECRETS)
        await eraser.finish(await eraser.begin(rig.id("zeb"), rig.inst.now()), rig.inst.client)
    assert marker.found_in(on_disk(data_dir)) == set()
    assert address not in on_disk(data_dir)
    logged = capsys.readouterr().out
    assert "our mail is rejected" in logged, "or the next search proves nothing"
    assert marker.found_in(logged) == set()


def on_disk(folder: Path) -> str:
    """The bytes of the database and of its log, as text."""
    return "".join(path.read_bytes().decode("latin-1").lower() for path in sorted(folder.glob("perennial.db*")))
