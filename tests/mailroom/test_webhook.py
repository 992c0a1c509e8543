"""The Event Webhook of a real mailbox process: signed, batched, doubled, shuffled, and told again until it is taken."""

from pathlib import Path
from typing import Any

import pytest
from sendgrid.helpers.eventwebhook import EventWebhook  # type: ignore[import-untyped]

from perennial.mailroom.events import Act, EventName
from perennial.mailroom.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, Manners
from tests.mailroom.mails import accepted, request_for
from tests.mailroom.running import Call, Receiver, Running, running


def verified(call: Call, key: str, body: str | None = None) -> bool:
    """What SendGrid's own helper says of a call."""
    headers = {name.lower(): value for name, value in call.headers.items()}
    helper = EventWebhook(key)
    said = body if body is not None else call.body.decode()
    signature, timestamp = headers[SIGNATURE_HEADER.lower()], headers[TIMESTAMP_HEADER.lower()]
    return bool(helper.verify_signature(said, signature, timestamp))


def test_sendgrids_own_helper_verifies_each_call(mailbox: Running, told: Receiver) -> None:
    """The signature is over the timestamp and the raw body, a JSON array that ends in CRLF; a changed body fails."""
    letter = accepted(mailbox)
    told.events(2, sg_message_id=letter["sg_message_id"])

    key = mailbox.client.webhook_key()
    assert all(verified(call, key) for call in told.calls)
    assert all(call.body.endswith(b"\r\n") and isinstance(call.events(), list) for call in told.calls)
    assert {call.path for call in told.calls} == {"/webhooks/sendgrid"}
    assert not verified(told.calls[0], key, told.calls[0].body.decode().replace("processed", "delivered"))
    assert not verified(told.calls[0], key, told.calls[0].body.decode().rstrip())


def test_an_accepted_mail_is_processed_and_then_delivered(mailbox: Running, told: Receiver) -> None:
    """By itself, and each event carries our argument flattened, the categories, and ids of its own."""
    letter = accepted(mailbox)

    events = told.events(2, sg_message_id=letter["sg_message_id"])

    assert [event["event"] for event in events] == ["processed", "delivered"]
    assert {event["perennial_touch_id"] for event in events} == {letter["touch_id"]}
    assert {event["email"] for event in events} == {letter["to"]}
    assert events[0]["category"] == ["new-lead", "welcome"]
    assert len({event["sg_event_id"] for event in events}) == 2
    assert all(isinstance(event["timestamp"], int) for event in events)


def test_a_single_category_is_a_string(mailbox: Running, told: Receiver) -> None:
    """SendGrid sends a string or a list, and so does this."""
    letter = accepted(mailbox, request_for(categories=["only"]))

    assert told.events(2, sg_message_id=letter["sg_message_id"])[0]["category"] == "only"


@pytest.mark.parametrize(
    ("act", "shape"),
    [
        (Act(event="deferred", attempt=3), {"attempt": "3", "response": "451 4.7.1 Try again later"}),
        (Act(event="dropped"), {"reason": "Bounced Address"}),
        (Act(event="bounce"), {"type": "bounce", "status": "5.1.1"}),
        (Act(event="bounce", type="blocked"), {"type": "blocked", "status": "5.7.1"}),
        (Act(event="open"), {"sg_machine_open": False}),
        (Act(event="open", machine=True), {"sg_machine_open": True}),
        (
            Act(event="click"),
            {"url": "https://northwind.example/guide?a=1&b=2", "url_offset": {"index": 0, "type": "html"}},
        ),
        (
            Act(event="click", url="http://127.0.0.1:9/next"),
            {"url": "http://127.0.0.1:9/next", "url_offset": {"index": 1, "type": "html"}},
        ),
        (Act(event="spamreport"), {}),
        (Act(event="unsubscribe"), {}),
        (Act(event="group_unsubscribe", group=4), {"asm_group_id": 4}),
        (Act(event="group_resubscribe", group=4), {"asm_group_id": 4}),
    ],
)
def test_each_event_has_sendgrids_shape(mailbox: Running, told: Receiver, act: Act, shape: dict[str, Any]) -> None:
    """What our endpoint reads is what SendGrid would write."""
    letter = accepted(mailbox)

    mailbox.client.happen(letter["touch_id"], act)

    (event,) = told.events(1, sg_message_id=letter["sg_message_id"], event=act.event)
    assert {name: event[name] for name in shape} == shape
    assert event["email"] == letter["to"]


@pytest.mark.parametrize(
    ("event", "reason"),
    [("bounce", "Bounced Address"), ("spamreport", "Spam Reporting Address"), ("unsubscribe", "Unsubscribed Address")],
)
def test_an_address_on_sendgrids_own_lists_is_dropped(
    mailbox: Running, told: Receiver, event: EventName, reason: str
) -> None:
    """SendGrid takes the mail and drops it, which its sender learns by webhook alone."""
    first = accepted(mailbox)
    mailbox.client.happen(first["touch_id"], Act(event=event))

    again = accepted(mailbox, request_for(personalizations=[{"to": [{"email": first["to"].upper()}]}]))

    (dropped,) = told.events(1, sg_message_id=again["sg_message_id"])
    assert (dropped["event"], dropped["reason"]) == ("dropped", reason)


def test_a_block_puts_no_address_on_a_list(mailbox: Running, told: Receiver) -> None:
    """A block is about the sender."""
    first = accepted(mailbox)
    mailbox.client.happen(first["touch_id"], Act(event="bounce", type="blocked"))

    again = accepted(mailbox, request_for(personalizations=[{"to": [{"email": first["to"]}]}]))

    assert told.events(2, sg_message_id=again["sg_message_id"])[1]["event"] == "delivered"


def test_a_call_carries_as_many_events_as_it_may_and_none_is_told_twice(mailbox: Running, told: Receiver) -> None:
    """Paused, then let go: full batches in their order."""
    letter = accepted(mailbox)
    told.events(2, sg_message_id=letter["sg_message_id"])
    mailbox.client.webhook(manners=Manners(paused=True, batch=10))
    before = len(told.calls)

    mailbox.client.happen(letter["touch_id"], *(Act(event="open", ip=f"192.0.2.{n}") for n in range(25)))
    mailbox.client.webhook(manners=Manners(batch=10))

    opens = told.events(25, sg_message_id=letter["sg_message_id"], event="open")
    assert [len(call.events()) for call in told.calls[before:]] == [10, 10, 5]
    assert [event["ip"] for event in opens] == [f"192.0.2.{n}" for n in range(25)]
    mailbox.client.webhook(manners=Manners())


@pytest.mark.parametrize("fresh_ids", [False, True])
def test_events_are_told_twice_on_request_even_under_another_id(
    mailbox: Running, told: Receiver, fresh_ids: bool
) -> None:
    """SendGrid tells at least once, and its event id may differ then."""
    mailbox.client.webhook(manners=Manners(duplicate=1.0, fresh_ids=fresh_ids))
    letter = accepted(mailbox)

    events = told.events(4, sg_message_id=letter["sg_message_id"])

    mailbox.client.webhook(manners=Manners())
    assert sorted(event["event"] for event in events) == ["delivered", "delivered", "processed", "processed"]
    assert len({event["sg_event_id"] for event in events}) == (4 if fresh_ids else 2)


def test_events_come_out_of_order_on_request(mailbox: Running, told: Receiver) -> None:
    """Every event comes, in an order of the seed's."""
    letter = accepted(mailbox)
    mailbox.client.webhook(manners=Manners(paused=True))
    mailbox.client.happen(letter["touch_id"], *(Act(event="open", ip=f"192.0.2.{n}") for n in range(20)))

    mailbox.client.webhook(manners=Manners(shuffle=True, seed=3))

    ips = [event["ip"] for event in told.events(20, sg_message_id=letter["sg_message_id"], event="open")]
    mailbox.client.webhook(manners=Manners())
    assert ips != [f"192.0.2.{n}" for n in range(20)]
    assert set(ips) == {f"192.0.2.{n}" for n in range(20)}


@pytest.mark.parametrize("status", [302, 400, 500, 503])
def test_what_is_not_taken_is_told_again(mailbox: Running, told: Receiver, status: int) -> None:
    """Any answer but a 2xx is a no."""
    told.events(2, sg_message_id=accepted(mailbox)["sg_message_id"])
    told.statuses[:] = [status, status]
    letter = accepted(mailbox)

    events = told.events(6, sg_message_id=letter["sg_message_id"])

    assert len({event["sg_event_id"] for event in events}) == 2
    assert told.statuses == []


def test_what_an_absent_endpoint_missed_is_told_once_it_is_there(mailbox: Running, told: Receiver) -> None:
    """Nothing listens, then something does."""
    mailbox.client.webhook(url="http://127.0.0.1:9/nobody")
    letter = accepted(mailbox)

    waiting = mailbox.client.webhook(url=f"{told.url}/webhooks/sendgrid")["waiting"]

    assert waiting >= 2
    assert len(told.events(2, sg_message_id=letter["sg_message_id"])) == 2


def test_a_killed_mailbox_goes_on_where_it_was_with_the_same_key(tmp_path: Path, told: Receiver) -> None:
    """What was accepted is there, and what was not told is told."""
    with running(tmp_path, "--webhook-url", told.url, "--manners", '{"paused": true}') as first:
        letter = accepted(first)
        key = first.client.webhook_key()
        first.kill()

    with running(tmp_path, "--webhook-url", told.url) as second:
        assert second.client.message(letter["touch_id"])["sg_message_id"] == letter["sg_message_id"]
        assert second.client.webhook_key() == key
        assert len(told.events(2, sg_message_id=letter["sg_message_id"])) == 2
