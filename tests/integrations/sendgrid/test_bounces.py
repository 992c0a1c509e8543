"""What a bounce says about the address, the mailbox, or us."""

from datetime import timedelta

import pytest

from models.intake import Event
from perennial.intake.rejections import rejection_note, sender_rejections
from perennial.integrations.sendgrid.bounces import bounce_kind, receiver_reason
from perennial.integrations.sendgrid.meanings import read_sendgrid
from perennial.platform.database import Database
from tests.builders import NOON, does, person, settle, store


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"status": "5.1.1", "type": "bounce", "reason": "550 5.1.1 user unknown"}, "hard-bounce"),
        ({"status": "5.0.0", "type": "bounce", "bounce_classification": "Invalid Address"}, "hard-bounce"),
        ({"type": "bounce"}, "soft-bounce"),
        ({"status": "4.2.2", "type": "blocked", "reason": "452 4.2.2 over quota"}, "soft-bounce"),
        ({"status": "5.2.2", "type": "bounce", "reason": "552 mailbox full"}, "soft-bounce"),
        ({"status": "5.1.1", "type": "blocked", "reason": "550 5.1.1 user unknown"}, "soft-bounce"),
        ({"type": "blocked", "reason": "connection timed out"}, "soft-bounce"),
        ({"type": "bounce", "bounce_classification": "Mailbox Unavailable"}, "soft-bounce"),
        ({"status": "5.7.1", "type": "bounce", "reason": "550 5.7.1 message refused"}, "sender-rejected"),
        ({"status": "5.7.26", "type": "blocked", "reason": "fails DMARC"}, "sender-rejected"),
        ({"type": "blocked", "reason": "554 your IP is on a block list, see rbl.example"}, "sender-rejected"),
        ({"type": "blocked", "bounce_classification": "Reputation"}, "sender-rejected"),
        ({"type": "blocked", "bounce_classification": "Content", "reason": "looks like spam"}, "sender-rejected"),
        ({"status": "4.7.0", "type": "blocked", "reason": "421 4.7.0 too many messages"}, "sender-rejected"),
        ({"status": None, "reason": None, "bounce_classification": None}, "soft-bounce"),
    ],
)
def test_a_bounce_is_read_for_whose_fault_it_is(event: dict[str, str | None], said: str) -> None:
    """Only a hard bounce suppresses; a rejection of the sender is no lead's fault."""
    assert bounce_kind(event) == said


@pytest.mark.parametrize(
    ("reason", "behaviour", "note"),
    [
        ("Unsubscribed Address", "lead.opted_out", ""),
        ("Spam Reporting Address", "email.complained", ""),
        ("Bounced Address", "email.bounced", ""),
        ("Invalid", "email.bounced", ""),
        ("Invalid SMTPAPI header", None, "rejected because of our sender reputation: Invalid SMTPAPI header"),
        ("Spam Content", None, "rejected because of our sender reputation: Spam Content"),
        (None, None, "rejected because of our sender reputation: no reason given"),
    ],
)
async def test_a_mail_that_was_not_even_tried_says_why(
    database: Database, reason: str | None, behaviour: str | None, note: str
) -> None:
    """By SendGrid's own lists it is the lead's, and its journeys hear of it; the rest is about us."""
    await settle(database, person("ada"))
    body = {"event": "dropped", "reason": reason, "email": "ada@example.com", "timestamp": NOON.timestamp()}
    event = Event(source="sendgrid", fingerprint="f", body=body, received_at=NOON)

    meaning = await does(database, lambda session: read_sendgrid(session, event))

    assert [(each.lead_id, each.name) for each in meaning.reports] == ([("ada", behaviour)] if behaviour else [])
    assert (meaning.state, meaning.note) == ("done", note)


async def test_rejections_because_of_us_are_listed_for_a_person(database: Database) -> None:
    """The latest first, without the address that the receiver quotes, and without the bounces of leads."""
    refused = {"email": "Ada@example.com", "reason": "550 5.7.1 <ada@example.com> your IP is block listed"}
    notes = rejection_note(receiver_reason({})), "", rejection_note(receiver_reason(refused))
    for days, note in enumerate(notes):
        at = NOON + timedelta(days=days)
        await store(database, Event(source="sendgrid", fingerprint=str(days), body={}, received_at=at, note=note))
    assert await does(database, lambda session: sender_rejections(session, NOON)) == [
        (
            NOON + timedelta(days=2),
            "rejected because of our sender reputation: 550 5.7.1 <the address> your IP is block listed",
        ),
        (NOON, "rejected because of our sender reputation: no reason given"),
    ]
    assert len(await does(database, lambda session: sender_rejections(session, NOON + timedelta(days=1)))) == 1
