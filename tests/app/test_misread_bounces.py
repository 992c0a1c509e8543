"""Addresses that work and were suppressed: who is found by what receivers said, and who stays suppressed."""

from typing import Any

import pytest

from models.intake import Event
from models.leads import BehaviourRow, Suppression
from perennial.app.misread_bounces import Misread, misread
from perennial.integrations.smtp.answers import with_answer
from perennial.platform.database import Database
from tests.builders import NOON, does, enrolment, person, settle, store, touch

OUR_DNS = "550 5.1.8 <news@perennial.example>: Sender address rejected: Domain not found"
NOBODY = "550 5.1.1 <{}@example.com>: Recipient address rejected: User unknown in virtual mailbox table"
FULL = "552 5.2.2 Mailbox full"


def bounced(number: int, lead: str, reason: str, **more: Any) -> Event:
    """SendGrid told of a bounce of a lead's address, by the address alone."""
    body = {"event": "bounce", "type": "bounce", "email": f"{lead}@example.com", "reason": reason.format(lead), **more}
    return Event(source="sendgrid", event_id=f"e{number}", fingerprint=f"f{number}", received_at=NOON, body=body)


def suppressed(lead: str, reason: str = "hard-bounce", source: str = "sendgrid") -> Suppression:
    return Suppression(lead_id=lead, reason=reason, source=source, at=NOON)


@pytest.fixture
async def told(database: Database) -> Database:
    """Suppressed: ada and bo for our DNS, cy rightly, di for both, eve by an import, flo by SMTP for our DNS."""
    await settle(database, *(person(each) for each in ("ada", "bo", "cy", "di", "eve", "flo", "gus")))
    await store(
        database,
        *(suppressed(each) for each in ("ada", "bo", "cy", "di", "flo")),
        suppressed("eve", source="import of clients.csv"),
        suppressed("bo", "opt-out"),
        suppressed("gus", "complaint"),
        bounced(1, "ada", OUR_DNS),
        bounced(2, "bo", OUR_DNS),
        Event(
            source="sendgrid",
            event_id="e3",
            fingerprint="f3",
            received_at=NOON,
            body={"event": "dropped", "reason": "Bounced Address", "email": "BO@example.com"},
        ),
        bounced(4, "cy", NOBODY),
        bounced(5, "di", OUR_DNS),
        bounced(6, "di", NOBODY),
        bounced(7, "gus", OUR_DNS),
    )
    run = enrolment(lead_id="flo")
    await store(database, run)
    answer = with_answer("the SMTP server knows no such mailbox", 550, "5.1.8 <flo@example.com>: Sender domain unknown")
    await store(database, touch("t1", enrolment_id=run.id, lead_id="flo", state="refused", reason=f"refused\n{answer}"))
    await store(
        database,
        BehaviourRow(id="b1", lead_id="flo", name="email.bounced", touch_id="t1", at=NOON, received_at=NOON),
    )
    return database


async def found(database: Database, **asked: Any) -> Misread:
    return await does(database, lambda session: misread(session, **asked))


async def test_whose_bounces_read_otherwise_today_is_found(told: Database) -> None:
    """SendGrid's word that an address bounced before says nothing more; what an import said stays."""
    both = await found(told)
    assert set(both.said) == {"ada", "bo", "flo"}
    assert both.stay == {"a bounce": 2, "nothing is kept of what was said": 1}


async def test_who_was_told_certain_words_is_found_unless_another_bounce_speaks_against_it(told: Database) -> None:
    """Words of the receiver, in any case; a person may know better than the table what they mean."""
    ours = await found(told, saying="SENDER address")
    assert set(ours.said) == {"ada", "bo"}
    assert ours.stay == {"other words were said": 2, "another bounce": 1, "nothing is kept of what was said": 1}
    dead = await found(told, saying="user unknown")
    assert set(dead.said) == {"cy", "di"}


async def test_only_suppressions_from_a_day_on_are_looked_at(told: Database) -> None:
    """What stood before stays."""
    later = await found(told, since=NOON.replace(year=NOON.year + 1))
    assert (later.said, later.stay) == ({}, {})


async def test_what_was_said_names_nobody(told: Database) -> None:
    """Addresses and hosts are taken out: the texts are counted, and shown."""
    assert all("@" not in said and "example" not in said for said in (await found(told)).said.values())
