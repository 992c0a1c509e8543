"""What a bounce says about the address, the mailbox, or us."""

from datetime import timedelta

import pytest

from models.intake import Event
from nurture.people.scoring import DEFAULT_MODEL
from perennial.intake.translate import Translator
from perennial.integrations.sendgrid.bounces import bounce_of, note_of_ours, our_rejections
from perennial.leads.identity import Identities
from perennial.platform.database import Database
from tests.builders import store
from tests.people import NOON, SECRET, does, person, settle

READER = Translator(Identities(SECRET), DEFAULT_MODEL)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"status": "5.1.1", "type": "bounce", "reason": "550 5.1.1 user unknown"}, "hard"),
        ({"status": "5.0.0", "type": "bounce", "bounce_classification": "Invalid Address"}, "hard"),
        ({"type": "bounce"}, "hard"),
        ({"status": "4.2.2", "type": "blocked", "reason": "452 4.2.2 over quota"}, "soft"),
        ({"status": "5.2.2", "type": "bounce", "reason": "552 mailbox full"}, "soft"),
        ({"type": "blocked", "reason": "connection timed out"}, "soft"),
        ({"type": "bounce", "bounce_classification": "Mailbox Unavailable"}, "soft"),
        ({"status": "5.7.1", "type": "bounce", "reason": "550 5.7.1 message refused"}, "ours"),
        ({"status": "5.7.26", "type": "blocked", "reason": "fails DMARC"}, "ours"),
        ({"type": "blocked", "reason": "554 your IP is on a block list, see rbl.example"}, "ours"),
        ({"type": "blocked", "bounce_classification": "Reputation"}, "ours"),
        ({"type": "blocked", "bounce_classification": "Content", "reason": "looks like spam"}, "ours"),
        ({"status": "4.7.0", "type": "blocked", "reason": "421 4.7.0 too many messages"}, "ours"),
        ({"status": None, "reason": None, "bounce_classification": None}, "hard"),
    ],
)
def test_a_bounce_is_read_for_whose_fault_it_is(event: dict[str, str | None], said: str) -> None:
    """Only a hard one suppresses; ours is no lead's fault."""
    assert bounce_of(event) == said


@pytest.mark.parametrize(
    ("reason", "behaviour", "note"),
    [
        ("Unsubscribed Address", "lead.opted_out", ""),
        ("Spam Reporting Address", "email.complained", ""),
        ("Bounced Address", "email.bounced", ""),
        ("Invalid", "email.bounced", ""),
        ("Invalid SMTPAPI header", None, "rejected for our sake: Invalid SMTPAPI header"),
        ("Spam Content", None, "rejected for our sake: Spam Content"),
        (None, None, "rejected for our sake: no reason given"),
    ],
)
async def test_a_mail_that_was_not_even_tried_says_why(
    database: Database, reason: str | None, behaviour: str | None, note: str
) -> None:
    """By SendGrid's own lists it is the lead's, and its journeys hear of it; the rest is ours."""
    await settle(database, person("ada"))
    body = {"event": "dropped", "reason": reason, "email": "ada@example.com", "timestamp": NOON.timestamp()}
    event = Event(source="sendgrid", fingerprint="f", body=body, received_at=NOON)

    meaning = await does(database, lambda session: READER.meaning(session, event))

    assert [(each.lead_id, each.name) for each in meaning.happenings] == ([("ada", behaviour)] if behaviour else [])
    assert (meaning.state, meaning.note) == ("done", note)


async def test_rejections_for_our_sake_are_listed_for_a_person(database: Database) -> None:
    """The latest first, without the address that the receiver quotes, and without the bounces of leads."""
    refused = {"email": "Ada@example.com", "reason": "550 5.7.1 <ada@example.com> your IP is block listed"}
    for number, (days, note) in enumerate(((0, note_of_ours({})), (1, ""), (2, note_of_ours(refused)))):
        at = NOON + timedelta(days=days)
        await store(database, Event(source="sendgrid", fingerprint=str(number), body={}, received_at=at, note=note))
    assert await does(database, lambda session: our_rejections(session, NOON)) == [
        (NOON + timedelta(days=2), "rejected for our sake: 550 5.7.1 <the address> your IP is block listed"),
        (NOON, "rejected for our sake: no reason given"),
    ]
    assert len(await does(database, lambda session: our_rejections(session, NOON + timedelta(days=1)))) == 1
