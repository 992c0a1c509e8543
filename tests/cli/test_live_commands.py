"""The commands against a real server and worker: what support and marketing do in a day."""

import asyncio
import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, select

from models.leads import Consent, LeadRow
from models.messages import Journey
from models.touches import Message, Touch
from nurture.journey.facts import Enrolled
from perennial.journeys.enrolling import workflow_id
from tests.builders import enrolment, store
from tests.cli.conftest import TUESDAY, Stack, eventually, invoke

pytestmark = pytest.mark.asyncio(loop_scope="session")

PEOPLE = """\
Mail,Name,Land,Branch,No mail
ada@import.example,Ada,Germany,Retail,no
bob@import.example,Bob,France,Finance,yes
nobody,Nobody,France,Retail,no
"""
MAPPING = """\
source = "test"
basis = "consent"
[lead]
email = "Mail"
first_name = "Name"
country = "Land"
[traits.industry]
column = "Branch"
[[suppress]]
reason = "opt-out"
column = "No mail"
values = ["yes"]
"""


async def welcomed(stack: Stack, **changes: object) -> LeadRow:
    """A new lead, on new-lead and welcomed."""
    lead = await stack.lead(**changes)
    await stack.run("enrol", "new-lead", "--lead", lead.email)
    await stack.stands(lead, "send:welcome/wait")
    return lead


async def test_an_import_says_what_became_of_each_row_and_changes_nothing_twice(stack: Stack, tmp_path: Path) -> None:
    """Bad rows go to a file with number and reason; opt-outs are honoured; a dry run writes nothing."""
    file, mapping = tmp_path / "people.csv", tmp_path / "mapping.toml"
    file.write_text(PEOPLE, encoding="utf-8")
    mapping.write_text(MAPPING, encoding="utf-8")
    words = ("import", str(file), "--map", str(mapping))
    assert "3 rows read (dry run" in (await stack.run(*words, "--dry-run")).stdout
    assert (await stack.json("leads", "--where", "email=ada@import.example"))["total"] == 0
    first = await stack.json(*words)
    assert (first["added"], first["rejected"], first["opted_out"]) == (2, 1, 1)
    assert "nobody" in Path(first["rejects"]).read_text(encoding="utf-8")
    again = await stack.json(*words)
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, 2)


async def test_a_lead_enrols_once(stack: Stack) -> None:
    """The second time is refused with the reason, as exit code 3."""
    lead = await welcomed(stack)
    again = await stack.run("enrol", "new-lead", "--lead", lead.id, code=3)
    assert again.stderr == "error: already on new-lead since 2026-03-03\n"


async def test_an_enrolment_cut_short_is_taken_up_by_the_next_run(stack: Stack) -> None:
    """A row without a workflow is started; who is on the track already is counted with the reason."""
    left, ready, fresh = [await stack.lead(traits={"cohort": "resumed"}) for _ in range(3)]
    await stack.run("enrol", "new-lead", "--lead", ready.email)
    await stack.stands(ready, "send:welcome/wait")
    async with stack.inst.database.writing() as session:
        session.add(enrolment(lead_id=left.id, at=stack.inst.now(), status="starting", cause="by hand"))
    told = await stack.json("enrol", "new-lead", "--where", "cohort=resumed", "--rate", "200/s")
    assert told == {"resumed": 1, "enrolled": 1, "refused: already on new-lead": 1}
    await stack.stands(left, "send:welcome/wait")
    await stack.stands(fresh, "send:welcome/wait")


async def test_an_enrolment_that_waits_for_a_worker_is_not_made_twice(stack: Stack) -> None:
    """Asked again for one lead, it is refused; asked for many, it is counted as waiting."""
    lead = await stack.lead(traits={"cohort": "waiting"})
    at = stack.inst.now()
    await store(stack.inst.database, enrolment(lead_id=lead.id, at=at, status="starting", cause="by hand"))
    journey = Journey(enrolment_id=f"new-lead/{lead.id}/1", lead_id=lead.id, facts=(Enrolled(at, lead.id),))
    handle = await stack.inst.client.start_workflow(
        "new-lead", journey, id=workflow_id("new-lead", lead.id), task_queue="nobody-works-here"
    )
    assert "waiting for a worker" in (await stack.run("enrol", "new-lead", "--lead", lead.id, code=3)).stderr
    assert await stack.json("enrol", "new-lead", "--where", "cohort=waiting") == {"waiting": 1}
    await handle.terminate()


async def test_a_behaviour_is_recorded_once_and_told_to_the_journeys(stack: Stack) -> None:
    """The score shows it at once, and the same id counts once."""
    lead = await welcomed(stack)
    words = ("signal", lead.email, "email.clicked", "--prop", "piece=welcome", "--id", f"click-{lead.id}")
    told = await stack.json(*words)
    assert (told["score_before"], told["score"], told["heard_by"]) == (lead.score, lead.score + 8, ["new-lead"])
    assert "counts once" in (await stack.run(*words)).stdout
    await eventually(lambda: _past_first_wait(stack, lead))


async def _past_first_wait(stack: Stack, lead: LeadRow) -> bool:
    found = await stack.enrolment(lead)
    return found is not None and found.step != "send:welcome/wait"


async def test_a_behaviour_of_the_future_or_without_its_property_is_refused(stack: Stack) -> None:
    """By the installation's clock."""
    lead = await stack.lead()
    future = (TUESDAY + timedelta(days=30)).isoformat()
    said = await stack.run("signal", lead.id, "demo.requested", "--at", future, code=2)
    assert "in the future" in said.stderr
    said = await stack.run("signal", lead.id, "email.clicked", "--prop", "path=/x", code=2)
    assert "--prop piece=" in said.stderr


async def test_a_preview_says_who_with_which_mail_and_when_and_that_is_what_then_happens(stack: Stack) -> None:
    """Who enters, who stays out, what the gate makes of each first mail: the same afterwards, to the minute."""
    cohort: dict[str, object] = {"traits": {"cohort": "previewed", "topic": "dashboards"}}
    ready, asleep = await stack.lead(**cohort), await stack.lead(**cohort, time_zone="Asia/Tokyo", country="JP")
    away = await stack.lead(**cohort, mail_paused_until=TUESDAY + timedelta(days=20))
    opted, inside, left, mute = [await stack.lead(**cohort) for _ in range(4)]
    async with stack.inst.database.writing() as session:
        await session.execute(delete(Consent).where(Consent.lead_id == mute.id))
    await stack.run("signal", opted.id, "lead.opted_out")
    await stack.run("enrol", "new-lead", "--lead", inside.id)
    await stack.stands(inside, "send:welcome/wait")
    await store(stack.inst.database, enrolment(lead_id=left.id, at=stack.inst.now(), status="starting"))
    words = ("new-lead", "--where", "cohort=previewed")
    preview = await stack.json("preview", *words)
    assert preview["leads"] == _but_now((await stack.json("enrol", *words, "--dry-run"))["leads"], preview["leads"])
    entries = {each["lead_id"]: each for each in preview["leads"]}
    assert entries[opted.id]["refused"] == "the lead is suppressed (opt-out)"
    assert entries[inside.id]["on_it"]
    assert entries[away.id]["put_off"] == ["the lead asked for a break"]
    printed = (await stack.run("preview", *words)).stdout
    assert f"{preview['would_enrol'] + preview['would_resume']} leads would be enrolled on new-lead" in printed
    assert "put off: quiet hours: 19:" in printed
    assert "refused: no consent on record (welcome and " in printed

    done = await stack.json("enrol", *words)
    counted = {name: done.get(name, 0) for name in ("enrolled", "resumed")}
    assert counted == {"enrolled": preview["would_enrol"], "resumed": preview["would_resume"]}
    assert {name: n for name, n in done.items() if name.startswith("refused")} == preview["refusals"]
    await stack.stands(ready, "send:welcome/wait")
    await stack.stands(left, "send:welcome/wait")
    await eventually(lambda: _refused(stack, mute))
    for lead in (asleep, away):
        held = await stack.stands(lead, "send:welcome")
        foreseen = datetime.fromisoformat(entries[lead.id]["at"])
        assert held.next_at is not None
        assert abs(held.next_at - foreseen) < timedelta(minutes=1)


async def _refused(stack: Stack, lead: LeadRow) -> bool:
    async with stack.inst.database.reading() as session:
        said = await session.scalars(select(Touch.reason).where(Touch.lead_id == lead.id, Touch.state == "refused"))
        return "no consent on record" in said.all()


def _but_now(entries: list[dict[str, object]], others: list[dict[str, object]]) -> list[dict[str, object]]:
    """These entries, those that leave at once with the moment at which the others do."""
    return [
        each | {"at": other["at"]} if not each["put_off"] and each["at"] else each
        for each, other in zip(entries, others, strict=True)
    ]


async def test_renurture_starts_the_track_and_nudges_who_is_on_it(stack: Stack) -> None:
    """Signal-with-start; a dry run counts what then happens, and a suppressed lead is refused with the reason."""
    for _ in range(2):
        await stack.lead(traits={"cohort": "lost"})
    out = await stack.lead(traits={"cohort": "lost"})
    await stack.run("signal", out.id, "lead.opted_out")
    words = ("renurture", "--where", "cohort=lost")
    preview = await stack.json(*words, "--dry-run")
    first = await stack.json(*words)
    assert [bool(each["refused"]) for each in preview.pop("leads")] == [False, False, True]
    assert preview == {"found": 3, "dry_run": True} | {
        name: count for name, count in first.items() if name != "dry_run" and count
    }
    assert (first["started"], first["refused: the lead is suppressed (opt-out)"]) == (2, 1)
    await eventually(lambda: _running(stack, "cohort=lost", 2))
    again = await stack.json(*words)
    assert (again.get("started", 0), again["nudged"]) == (0, 2)


async def _running(stack: Stack, where: str, count: int) -> bool:
    found = (await stack.json("leads", "--where", where))["leads"]
    stays = [await stack.enrolment(LeadRow(id=each["id"]), "lost-deal") for each in found]
    return sum(stay is not None and stay.status == "active" for stay in stays) == count


async def test_a_journey_is_paused_resumed_overridden_and_ended_by_hand(stack: Stack) -> None:
    """Each says what it did; what a rule forbids is exit code 3, with the reason."""
    lead = await welcomed(stack)
    assert await stack.json("pause", "--lead", lead.email, "--reason", "holiday") == {"told": 1, "already_over": 0}
    await stack.stands(lead, "send:welcome/wait", status="paused")
    assert "stands at paused" in (await stack.run("override", lead.email, code=3)).stderr
    await stack.run("resume", "--lead", lead.email, "--track", "new-lead")
    await stack.stands(lead, "send:welcome/wait")
    assert (await stack.json("override", lead.email))["track"] == "new-lead"
    await stack.run("refresh", "--lead", lead.email)
    await stack.run("exit", "--lead", lead.email, "--reason", "asked by phone")
    await stack.stands(lead, "finished", status="finished")
    assert "no running journey" in (await stack.run("exit", "--lead", lead.email, code=3)).stderr
    assert "asked by phone" in (await stack.run("why", lead.email)).stdout


async def test_a_whole_track_is_steered_at_once(stack: Stack) -> None:
    """Every running journey of it is told."""
    leads = [await stack.lead() for _ in range(2)]
    for lead in leads:
        await stack.run("enrol", "re-engagement", "--lead", lead.id)
    for lead in leads:
        await eventually(lambda lead=lead: _decided(stack, lead))  # type: ignore[misc]
    assert (await stack.json("pause", "--track", "re-engagement"))["told"] == 2
    told = await stack.json("exit", "--track", "re-engagement", "--yes")
    assert told["told"] + told["already_over"] == 2
    for lead in leads:
        await stack.stands(lead, "finished", track="re-engagement", status="finished")


async def _decided(stack: Stack, lead: LeadRow) -> bool:
    found = await stack.enrolment(lead, "re-engagement")
    return found is not None and found.status == "active"


async def test_who_is_where_is_counted(stack: Stack) -> None:
    """By track and step, and by outcome once over."""
    await welcomed(stack)
    found = await stack.json("tracks")
    assert set(found) == {"lost-deal", "new-lead", "re-engagement"}
    assert found["new-lead"]["standing"]["wait after send welcome"] >= 1
    shown = (await stack.run("tracks")).stdout
    assert "wait after send welcome" in shown
    assert "█" in shown


async def test_a_leads_story_is_told_in_its_own_zone(stack: Stack) -> None:
    """Where it stands, what comes next, what happened in order, and the score with its ledger."""
    lead = await welcomed(stack, time_zone="Asia/Kolkata", country="IN")
    await stack.run("signal", lead.email, "page.viewed", "--prop", "path=/blog")
    story = await stack.json("show", lead.email)
    assert [line["kind"] for line in story["lines"]][:3] == ["consent", "enrolled", "sent"]
    assert story["standings"][0]["step"] == "wait after send welcome"
    assert story["ledger"][0]["reason"] == "viewed page /blog"
    (ahead,) = story["ahead"].values()
    assert ahead["what"].startswith("send ")
    shown = (await stack.run("show", lead.email)).stdout
    assert "Ada" in shown
    assert "welcome was sent: " in shown
    started = story["standings"][0]["started_at"]
    here = f"{datetime.fromisoformat(started).astimezone(ZoneInfo('Asia/Kolkata')):%H:%M}  enrolled"
    assert here in shown
    assert shown.count("Asia/Kolkata") == 1
    assert f"/workflows/new-lead%2F{lead.id}" in shown
    assert "UTC" not in shown
    assert here not in (await stack.run("show", lead.email, "--utc")).stdout


async def test_why_gives_the_decision_behind_a_mail(stack: Stack) -> None:
    """By the piece's name; a step the lead has not come to is answered with those it has."""
    lead = await welcomed(stack)
    (ruling,) = await stack.json("why", lead.email, "welcome")
    assert (ruling["what"], ruling["because"]) == ("welcome was sent", ["enrolled (by hand)"])
    (present,) = await stack.json("why", lead.email)
    assert present["because"] == ["welcome was sent"]
    assert "send:welcome" in (await stack.run("why", lead.email, "farewell", code=2)).stderr


async def test_the_mailbox_lists_and_opens_what_was_sent(stack: Stack, tmp_path: Path) -> None:
    """Text on the screen, HTML to a file."""
    lead = await welcomed(stack)
    (message,) = (await stack.json("mail", lead.email))["messages"]
    html = tmp_path / "welcome.html"
    opened = await stack.run("mail", "--open", message["touch_id"], "--html", str(html))
    assert f"To: {lead.email}" in opened.stdout
    async with stack.inst.database.reading() as session:
        stored = await session.get_one(Message, message["touch_id"])
    assert html.read_text(encoding="utf-8") == stored.html
    assert "starter.py mail" in (await stack.run("mail", "--open", "none", code=2)).stderr


async def test_a_live_journey_replays_alike_and_answers_a_what_if(stack: Stack) -> None:
    """The journal is the workflow's own; nothing is changed by asking."""
    lead = await welcomed(stack)
    before = await stack.enrolment(lead)
    told = await stack.json("replay", lead.email, "--set", "score=80")
    assert told["origin"] == "the workflow's own history"
    assert [each["next"] for each in told["decisions"]] == ["send welcome", "wait after send welcome"]
    assert told["differ"] == 0
    assert told["plan"]["next"] == "wait after send welcome"
    assert told["what_if"]["next"] == "offer to sales"
    after = await stack.enrolment(lead)
    assert before is not None
    assert after is not None
    assert (before.step, before.next_at) == (after.step, after.next_at)


async def test_a_downloaded_history_replays_like_the_live_workflow(stack: Stack, tmp_path: Path) -> None:
    """The file needs no server, whether an object or the bare list of events; its words come from the database."""
    lead = await welcomed(stack)
    live = await stack.json("replay", lead.email)
    history = await stack.inst.client.get_workflow_handle(f"new-lead/{lead.id}").fetch_history()
    for name, content in (("cli.json", history.to_json_dict()), ("ui.json", history.to_json_dict()["events"])):
        file = tmp_path / name
        file.write_text(json.dumps(content), encoding="utf-8")
        result = await asyncio.to_thread(invoke, "replay", "--history", str(file), "--json", data_dir=tmp_path)
        assert json.loads(result.stdout)["facts"][0]["at"] == live["facts"][0]["at"], "by its references alone"
        told = await stack.json("replay", "--history", str(file))
        assert (told["facts"], told["decisions"]) == (live["facts"], live["decisions"])


async def test_without_the_server_a_journey_replays_from_the_database(stack: Stack, tmp_path: Path) -> None:
    """Where Temporal no longer has the history, the read model has the facts and the decisions."""
    lead = await welcomed(stack)
    live = await stack.json("replay", lead.email)
    async with stack.inst.database.writing():
        for file in stack.data_dir.glob("perennial.db*"):
            shutil.copy(file, tmp_path / file.name)
    nobody = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}
    result = await asyncio.to_thread(invoke, "replay", lead.email, "--json", data_dir=tmp_path, **nobody)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["origin"] == "the database"
    assert (told["facts"], told["decisions"]) == (live["facts"], live["decisions"])


async def test_a_replay_stops_at_a_moment_and_plans_from_there(stack: Stack) -> None:
    """What came later is out of sight."""
    lead = await welcomed(stack)
    enrolment = await stack.enrolment(lead)
    assert enrolment is not None
    await stack.run("override", lead.email)
    told = await stack.json("replay", lead.email, "--at", enrolment.started_at.isoformat())
    assert [each["next"] for each in told["decisions"]] == ["send welcome", "wait after send welcome"]
    assert told["plan"]["next"] == "wait after send welcome"
    early = await stack.run("replay", lead.email, "--at", "2026-03-01", code=2)
    assert "before the lead enrolled" in early.stderr


async def test_an_unknown_lead_track_or_journey_is_said_so(stack: Stack) -> None:
    """Exit code 2 and the remedy."""
    lead = await stack.lead()
    assert "starter.py leads" in (await stack.run("show", "nobody@example.com", code=2)).stderr
    assert "did you mean 'new-lead'" in (await stack.run("enrol", "new-led", "--lead", lead.id, code=2)).stderr
    assert "has been on no track" in (await stack.run("replay", lead.email, code=2)).stderr
    assert "has never been on a track" in (await stack.run("why", lead.email, code=2)).stderr
