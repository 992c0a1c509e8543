"""Erasing and exporting a lead in the database: what is found, what is left, on both databases."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Table, select

from models.base import Base
from models.episodes import EpisodeRow
from models.intake import Event
from models.journeys import Alert, AskedRow, DecisionRow, Enrolment, FactRow, HandOffRow, Unheard, Word
from models.leads import BehaviourRow, Identity, LeadRow, Preference, ScoreEntry, SuppressedAddress, Suppression
from models.touches import Message, Touch
from nurture.errors import NotFoundError
from nurture.journey.facts import AnyFact, Behaved, Chosen, Deferred, Done, Enrolled, Exited, Finished, Scored, Waited
from perennial.journeys.read_model import FACT, write_facts
from perennial.leads.identity import Identities
from perennial.leads.suppressed_addresses import address_hash, suppressed_addresses
from perennial.platform.database import Database
from perennial.privacy.erase import erase_rows, scrubbed
from perennial.privacy.export import BY_ENROLMENT, BY_ITSELF, BY_LEAD, NOT_ABOUT_LEADS, export_lead
from perennial.privacy.merge import merge_rows
from tests.builders import NOON, SECRETS, consent_of, does, granted, one, person, rows, settle, store

PERSONAL = ("Zebulon", "Quixworth", "quixotic.example", "Zörn GmbH", "+49-30-555", "zeb-browser-1", "zeb-user-1")
"""What must not be found of Zebulon Quixworth after the erasure, in any spelling of JSON or case."""

ENROLMENT = "new-lead/zeb/1"


def everything_about(lead_id: str = "zeb") -> list[Base]:
    """A row of his in every table, each with something personal in every column that can hold it."""
    said = "Zebulon Quixworth of Zörn GmbH, +49-30-555"
    mail = "zebulon@quixotic.example"
    enrolment_id = f"new-lead/{lead_id}/1"
    return [
        LeadRow(
            id=lead_id,
            email="Zebulon@quixotic.example",
            email_key=mail,
            external_id="crm-Quixworth",
            first_name="Zebulon",
            last_name="Quixworth",
            company="Zörn GmbH",
            country="DE",
            time_zone="Europe/Berlin",
            traits={"industry": "zorn", "note": said},
            segment={"Phone": "+49-30-555"},
            created_at=NOON,
        ),
        granted(lead_id),
        Suppression(lead_id=lead_id, reason="manual", source=said[:64], at=NOON),
        Preference(lead_id=lead_id, topic="dashboards", wanted=False, at=NOON),
        EpisodeRow(track="new-lead", segment="retail", lead_id=lead_id, number=1, began_at=NOON),
        Identity(kind="anonymous", value="zeb-browser-1", lead_id=lead_id, at=NOON),
        Identity(kind="user", value="zeb-user-1", lead_id=lead_id, at=NOON),
        BehaviourRow(
            id="b1",
            lead_id=lead_id,
            name="page.viewed",
            subject="/people/Zebulon-Quixworth",
            props={"path": f"/people/{said}"},
            at=NOON,
            received_at=NOON,
        ),
        BehaviourRow(
            id="b2",
            lead_id=lead_id,
            name="email.clicked",
            subject="welcome",
            props={"piece": "welcome", "url": f"https://x.example/?m={mail}"},
            at=NOON,
            received_at=NOON,
        ),
        ScoreEntry(lead_id=lead_id, rule="page", behaviour_id="b1", points=2, reason="viewed /people/Zebulon", at=NOON),
        Enrolment(
            id=enrolment_id,
            lead_id=lead_id,
            track="new-lead",
            number=1,
            status="finished",
            cause=f"imported with {mail}"[:128],
            because=[f"viewed /people/Zebulon-Quixworth, {mail}"],
            listens=["page.viewed:/people/Zebulon*"],
            outcome="exited: Zebulon asked by phone",
            started_at=NOON,
            ended_at=NOON,
        ),
        DecisionRow(enrolment_id=enrolment_id, seq=1, at=NOON, next="offer Quixworth", because=[said]),
        Unheard(enrolment_id=enrolment_id, behaviour_id="b1"),
        Word(enrolment_id=enrolment_id, ref="ref:0123456789abcdef", text=said),
        AskedRow(enrolment_id=enrolment_id, id="p1", verb="pause", reason=said, at=NOON),
        Touch(
            id="t1",
            enrolment_id=enrolment_id,
            lead_id=lead_id,
            track="new-lead",
            step_key="send:welcome",
            piece="welcome",
            state="unknown",
            reason=f"the provider refused it\n550 {mail} unknown",
            provider_id="pm-1",
            at=NOON,
        ),
        Message(
            touch_id="t1",
            lead_id=lead_id,
            to=mail,
            sender="x",
            subject="Hello Zebulon",
            text=said,
            html=said,
            headers={"To": mail},
            at=NOON,
        ),
        HandOffRow(
            id="h1",
            enrolment_id=enrolment_id,
            lead_id=lead_id,
            step_key="hand_off:sales",
            to="sales",
            reason=said,
            score=80,
            at=NOON,
        ),
        Alert(enrolment_id=enrolment_id, lead_id=lead_id, step_key="alert:x", text=said, at=NOON),
        Event(source="sendgrid", fingerprint="f1", lead_id=lead_id, body={"email": mail}, received_at=NOON, note=said),
        Event(
            source="segment",
            fingerprint="f2",
            anonymous_id="zeb-browser-1",
            body={"traits": {"name": said}},
            received_at=NOON,
            state="anonymous",
        ),
        Event(
            source="sendgrid",
            event_id="evt-Quixworth-1",
            fingerprint="f3",
            body={"email": "Zebulon@Quixotic.example"},
            received_at=NOON,
            state="ignored",
        ),
        Event(source="segment", fingerprint="f4", body={"userId": "zeb-user-1"}, received_at=NOON, state="ignored"),
    ]


JOURNAL: list[AnyFact] = [
    Enrolled(NOON, "zeb", "form of Zebulon", 12, "awareness", {"company": "Zörn GmbH"}),
    Behaved(NOON, "b1", "page.viewed", "/people/Zebulon-Quixworth"),
    Behaved(NOON, "b2", "email.clicked", "welcome"),
    Scored(NOON, 20, "awareness"),
    Done(NOON, "send:welcome", "sent", "said Quixworth", {"phone": "+49-30-555"}),
    Deferred(NOON, "send:next", NOON, "quiet hours: Zebulon sleeps"),
    Waited(NOON, "send:welcome/wait", "behaviour", "page.viewed", "/people/Zebulon-Quixworth"),
    Exited(NOON, "Zebulon asked by phone"),
    Finished(NOON, "exited"),
]


@pytest.fixture
async def zeb(database: Database) -> Database:
    """Zebulon, with a row in every table, and a bystander."""
    await store(database, *everything_about())
    await settle(database, person("bystander", first_name="Bo", traits={"topic": "forecasting"}))
    other = Event(source="sendgrid", fingerprint="f9", body={"email": "bystander@example.com"}, received_at=NOON)
    await store(database, other)
    async with database.writing() as session:
        await write_facts(session, ENROLMENT, 0, JOURNAL)
    return database


async def dumped(database: Database) -> str:
    """Every column of every row of every table as text."""
    said: list[str] = []
    async with database.reading() as session:
        for table in Base.metadata.sorted_tables:
            found = (await session.execute(select(table).order_by(*table.primary_key))).mappings()
            said += [f"{table.name}: {json.dumps(dict(row), default=str, ensure_ascii=False)}" for row in found]
    return "\n".join(said)


def found_in(text: str) -> list[str]:
    return [secret for secret in PERSONAL if secret.lower() in text.lower()]


async def erased(database: Database, lead_id: str = "zeb", *, days: int = 1) -> None:
    at = NOON + timedelta(days=days)
    await does(database, lambda session: erase_rows(session, lead_id, at, secrets=SECRETS))


async def test_before_the_erasure_everything_is_found(zeb: Database) -> None:
    """Or the search for remains could not fail."""
    assert found_in(await dumped(zeb)) == list(PERSONAL)


async def test_no_column_of_any_table_says_who_an_erased_lead_was(zeb: Database) -> None:
    """Name, address, company, phone and ids: nothing, in no spelling."""
    await erased(zeb)
    assert found_in(await dumped(zeb)) == []


async def test_what_was_deleted_is_not_left_in_sqlites_file_either(tmp_path: Path, sqlite_template: Path) -> None:
    """SQLite only forgets where a deleted row was, unless it is told to write over it."""
    path = tmp_path / "perennial.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    await store(database, *everything_about())
    await database.close()
    assert b"Quixworth" in path.read_bytes()
    await erased(database)
    await database.close()
    assert b"Quixworth" not in path.read_bytes()
    assert b"quixotic" not in path.read_bytes().lower()


async def test_statistics_stay_under_opaque_ids(zeb: Database) -> None:
    """How many were sent, what was clicked, how the journey ended."""
    await erased(zeb)
    assert [(row.piece, row.state) for row in await rows(zeb, Touch)] == [("welcome", "unknown")]
    assert [(row.name, row.subject) for row in await rows(zeb, BehaviourRow)] == [
        ("page.viewed", ""),
        ("email.clicked", "welcome"),
    ]
    journal = [FACT.validate_python(row.fact) for row in await rows(zeb, FactRow)]
    assert [fact.kind for fact in journal] == [fact.kind for fact in JOURNAL]
    assert (await one(zeb, "zeb")).erased_at == NOON + timedelta(days=1)


async def test_nobody_else_is_touched(zeb: Database) -> None:
    """Not a row of a bystander's."""
    before = [line for line in (await dumped(zeb)).splitlines() if "bystander" in line]
    await erased(zeb)
    assert [line for line in (await dumped(zeb)).splitlines() if "bystander" in line] == before


async def test_the_address_is_suppressed_by_a_keyed_hash(zeb: Database) -> None:
    """So that no import and no form brings it back, and the table names nobody."""
    await erased(zeb)
    (bar,) = await rows(zeb, SuppressedAddress)
    assert bar.hash == address_hash(SECRETS.newest, "zebulon@quixotic.example")
    found = await does(zeb, lambda s: suppressed_addresses(s, SECRETS, ["zebulon@quixotic.example"]))
    assert found == {"zebulon@quixotic.example": "erased"}
    who = Identities(SECRETS)
    back = await does(
        zeb,
        lambda s: who.resolve(s, email="zebulon@quixotic.example", traits={"consent": {"basis": "consent"}}, at=NOON),
    )
    assert back is None


async def test_consent_is_withdrawn_and_shown_to_have_been_given(zeb: Database) -> None:
    """That mail was lawful can still be shown; by whom it was allowed, not."""
    await erased(zeb)
    assert await consent_of(zeb, "zeb") == "withdrawn"


@pytest.mark.parametrize("spelled", ["ÅSE@BÜCHER.EXAMPLE", "Åse@bücher.example"])
async def test_an_address_is_found_in_any_case_of_any_script(database: Database, spelled: str) -> None:
    """In an event of nobody's, which is stored as it came."""
    await settle(database, person("ase", email="Åse@Bücher.example", email_key="åse@bücher.example"))
    await store(database, Event(source="sendgrid", fingerprint="f1", body={"email": spelled}, received_at=NOON))
    await erased(database, "ase")
    (event,) = await rows(database, Event)
    assert event.body == {}


async def test_erasing_again_changes_nothing(zeb: Database) -> None:
    """Not even the time of the erasure, nor another hash for what the columns say now."""
    await erased(zeb)
    before = await dumped(zeb)
    await erased(zeb, days=2)
    assert await dumped(zeb) == before


async def test_what_comes_after_the_erasure_is_deleted_by_doing_it_again(zeb: Database) -> None:
    """A send that was on its way, a webhook that names the lead."""
    await erased(zeb)
    late = [row for row in everything_about() if isinstance(row, Message)]
    late_event = Event(
        source="sendgrid", fingerprint="f8", lead_id="zeb", body={"email": "zebulon@quixotic.example"}, received_at=NOON
    )
    await store(zeb, *late, late_event)
    assert found_in(await dumped(zeb)) != []
    await erased(zeb)
    assert found_in(await dumped(zeb)) == []


async def test_an_event_that_is_sent_again_after_the_erasure_is_known(zeb: Database) -> None:
    """Its fingerprint stays, so its body does not come back."""
    await erased(zeb)
    assert {event.fingerprint for event in await rows(zeb, Event)} >= {"f1", "f2", "f3", "f4"}


async def test_those_that_were_merged_into_it_go_with_it(zeb: Database) -> None:
    """One person, whatever it was called; and whichever of its names is given."""
    await settle(zeb, person("new", first_name="Zebulon", email="z2@quixotic.example", email_key="z2@quixotic.example"))
    await does(zeb, lambda s: merge_rows(s, "new", "zeb", at=NOON))
    await erased(zeb, "zeb")
    assert found_in(await dumped(zeb)) == []
    keys = ["zebulon@quixotic.example", "z2@quixotic.example"]
    assert set(await does(zeb, lambda s: suppressed_addresses(s, SECRETS, keys))) == set(keys)


async def test_nobody_cannot_be_erased(zeb: Database) -> None:
    """And nothing changes."""
    with pytest.raises(NotFoundError):
        await erased(zeb, "nobody")


@given(st.sampled_from(JOURNAL))
def test_a_scrubbed_fact_says_what_happened_and_no_more(fact: Any) -> None:
    """It is a fact of the same kind that can be read back, and scrubbing it again changes nothing."""
    clean = scrubbed(fact)
    assert (clean.kind, clean.at) == (fact.kind, fact.at)
    assert scrubbed(clean) == clean
    assert found_in(str(clean)) == []
    assert FACT.validate_python(FACT.dump_python(clean, mode="json")) == clean


def test_choices_are_ours_and_stay() -> None:
    """Pieces and variants say nothing about a person."""
    assert scrubbed(Chosen(NOON, "next", "welcome")) == Chosen(NOON, "next", "welcome")


# Exporting


async def test_an_export_holds_everything_that_is_held(zeb: Database) -> None:
    """Every table in which there is a row of the lead's, with that row, as plain JSON."""
    document = await does(zeb, lambda session: export_lead(session, "zeb", NOON))
    text = json.dumps(document, ensure_ascii=False)
    assert found_in(text) == list(PERSONAL)
    assert "bystander" not in text
    counted = {name: len(found) for name, found in document.items() if isinstance(found, list)}
    assert counted == {
        "merged": 0,
        "leads": 1,
        "consents": 1,
        "suppressions": 1,
        "preferences": 1,
        "episodes": 1,
        "identities": 2,
        "behaviours": 2,
        "score_entries": 1,
        "enrolments": 1,
        "touches": 1,
        "messages": 1,
        "hand_offs": 1,
        "alerts": 1,
        "facts": len(JOURNAL),
        "decisions": 1,
        "unheard": 1,
        "asked": 1,
        "words": 1,
        "events": 4,
        "past_leads": 0,
    }


async def test_an_export_of_an_erased_lead_says_nothing_of_it(zeb: Database) -> None:
    """What is left is opaque."""
    await erased(zeb)
    document = await does(zeb, lambda session: export_lead(session, "zeb", NOON))
    assert found_in(json.dumps(document, ensure_ascii=False)) == []


def test_every_table_says_whether_it_is_about_leads() -> None:
    """A new table that nobody has thought of fails here, and not in an audit."""
    known = {table.__table__ for table in (*BY_LEAD, *BY_ENROLMENT, *BY_ITSELF, *NOT_ABOUT_LEADS)}
    assert {table.name for table in Base.metadata.sorted_tables} == {str(table) for table in known}
    for table in _about_leads():
        assert {"lead_id", "enrolment_id"} & set(table.columns.keys())


def _about_leads() -> Iterator[Table]:
    for mapped in (*BY_LEAD, *BY_ENROLMENT):
        table = mapped.__table__
        assert isinstance(table, Table)
        yield table
