"""SendGrid's events: signed or refused, stored whole and once, and what forbids mail forbids it at once."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sendgrid import EventWebhook
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import SuppressedAddress, Suppression
from perennial.integrations.sendgrid.signature import SIGNATURE, TIMESTAMP, SendGridSignature
from tests.builders import granted, person
from tests.web.serving import LONG_AGO, SENDGRID_KEY, Service, click, serving, signed
from tests.web.stored import Store

ELEVEN = (
    *("processed", "dropped", "delivered", "deferred", "bounce", "open", "click"),
    *("spamreport", "unsubscribe", "group_unsubscribe", "group_resubscribe"),
)


def test_a_signed_batch_is_stored_once_however_often_it_comes(service: Service, store: Store) -> None:
    """SendGrid repeats what it believes lost; the answer is 200 again and nothing changes."""
    batch = [click(1), click(2)]

    first, again = service.sendgrid(batch), service.sendgrid(batch)

    assert first.json() == {"events": 2, "new": 2, "refused": 0}
    assert (again.status_code, again.json()) == (200, {"events": 2, "new": 0, "refused": 0})
    assert [event.body for event in store.events()] == batch


def test_a_thousand_events_are_one_batch(service: Service, store: Store) -> None:
    """Stored in one transaction; a second delivery that overlaps adds only what is new."""
    assert service.sendgrid([click(n) for n in range(1000)]).json()["new"] == 1000
    assert service.sendgrid([click(n) for n in range(500, 1500)]).json()["new"] == 500
    assert len(store.events()) == 1500


def test_all_eleven_types_and_those_to_come_are_kept_with_every_field(service: Service, store: Store) -> None:
    """What an event means is decided later, by whoever reads the outbox."""
    batch = [click(n, event=name, new_field={"a": [1]}) for n, name in enumerate([*ELEVEN, "teleported"])]

    assert service.sendgrid(batch).json() == {"events": 12, "new": 12, "refused": 0}
    assert [event.body["event"] for event in store.events()] == [*ELEVEN, "teleported"]
    assert all(event.body["new_field"] == {"a": [1]} and event.state == "new" for event in store.events())


@pytest.mark.parametrize("changed", [{"sg_event_id": "another"}, {"sg_event_id": None}])
def test_an_event_whose_id_changed_or_went_missing_is_known_by_what_it_says(
    service: Service, store: Store, changed: dict[str, Any]
) -> None:
    """A retry of SendGrid's may carry another sg_event_id, or none."""
    service.sendgrid([click()])

    assert service.sendgrid([click(**changed)]).json()["new"] == 0
    assert len(store.events()) == 1


@pytest.mark.parametrize("changed", [{"url": "https://example.com/b"}, {"timestamp": 1}, {"event": "open"}])
def test_an_event_that_says_something_else_is_another_event(
    service: Service, store: Store, changed: dict[str, Any]
) -> None:
    """The fingerprint is not too coarse."""
    service.sendgrid([click(sg_event_id=None)])

    assert service.sendgrid([click(sg_event_id=None, **changed)]).json()["new"] == 1


def test_bad_elements_are_counted_and_fail_nobody(service: Service, store: Store) -> None:
    """Neither a number, nor a nameless object, nor a pit of brackets keeps the good one out."""
    pit: Any = []
    for _ in range(100):
        pit = [pit]
    bad = [7, None, "click", [], {}, {"event": 5}, {"event": ""}, {"event": "click", "deep": pit}]

    answer = service.sendgrid([*bad, click()])

    assert answer.json() == {"events": 1, "new": 1, "refused": len(bad)}
    assert [event.event_id for event in store.events()] == ["click-1"]


def test_text_that_a_database_cannot_hold_is_stored_without_it(service: Service, store: Store) -> None:
    """NULs, half surrogates, numbers beyond measure and endless ids are replaced, not refused."""
    body = (
        b'[{"event":"click","sg_event_id":"' + b"x" * 500 + b'","url":"a\\u0000b\\ud800c","n":1e999,"\\u0000":1,'
        b'"smile":"\\ud83d\\ude00"}]'
    )

    assert service.sendgrid(body).json() == {"events": 1, "new": 1, "refused": 0}
    (event,) = store.events()
    assert event.body["url"] == "a�b�c"
    assert event.body["n"] is None
    assert event.body["smile"] == "😀"
    assert len(event.event_id or "") == 64


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("body", "headers", "refusal"),
    [
        (b"[]", {SIGNATURE: ""}, (401, "signature_missing")),
        (b"[]", {TIMESTAMP: ""}, (401, "signature_missing")),
        (b"[]", {SIGNATURE: "no base64!"}, (403, "signature")),
        (b"[]", {SIGNATURE: "AAAA"}, (403, "signature")),
        (b"[]", {TIMESTAMP: "1"}, (403, "signature")),
        (b"[]", {TIMESTAMP: "soon"}, (403, "signature")),
        (b"[]", {TIMESTAMP: "9" * 400}, (403, "signature")),
        (b"[]", {"content-type": "text/html"}, (400, "content_type")),
        (b"[]", {"content-encoding": "br"}, (400, "encoding")),
        (b"[]", {"content-encoding": "gzip"}, (400, "encoding")),
        (b"", {}, (400, "json")),
        (b"{}", {}, (400, "json")),
        (b"[NaN]", {}, (400, "json")),
        (b'["\xff"]', {}, (400, "json")),
        (b"[" * 100_000, {}, (400, "json")),
        (b"[" + b"9" * 5_000 + b"]", {}, (400, "json")),
        (b" " * (5 * 1024 * 1024 + 1), {}, (413, "too_large")),
    ],
)
def test_what_is_malformed_or_unsigned_is_refused_and_changes_nothing(
    lasting: Service, body: bytes, headers: dict[str, str], refusal: tuple[int, str]
) -> None:
    """Each with its status, a code and a sentence."""
    answer = lasting.sendgrid(body, **headers)

    assert (answer.status_code, answer.json()["code"]) == refusal
    assert answer.json()["message"]


@pytest.mark.usefixtures("nothing_stored")
def test_a_body_of_unknown_length_is_cut_off_at_the_limit(lasting: Service) -> None:
    """Chunks carry no Content-Length to be refused by."""
    chunks = (b" " * 65536 for _ in range(100))
    answer = lasting.client.post("/webhooks/sendgrid", content=chunks, headers=signed(b""))
    assert answer.status_code == 413


@pytest.mark.usefixtures("nothing_stored")
def test_a_signature_of_another_key_or_another_body_is_refused(lasting: Service) -> None:
    """Only who holds SendGrid's private key can report events, and only what was signed."""
    other = ec.generate_private_key(ec.SECP256R1())
    body = json.dumps([click()]).encode()

    for headers in (signed(body, key=other), signed(body + b"\r\n")):
        assert lasting.client.post("/webhooks/sendgrid", content=body, headers=headers).status_code == 403


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("age", "status"),
    [(timedelta(hours=24), 200), (LONG_AGO, 403), (timedelta(minutes=-2), 200), (timedelta(minutes=-10), 403)],
)
def test_a_call_is_good_for_as_long_as_sendgrid_repeats_it(lasting: Service, age: timedelta, status: int) -> None:
    """An outage of 24 hours loses nothing; a recording from last week is refused."""
    answer = lasting.client.post("/webhooks/sendgrid", content=b"[]", headers=signed(b"[]", datetime.now(UTC) - age))
    assert answer.status_code == status


def test_sendgrids_own_package_agrees_about_a_signature() -> None:
    """What its helper accepts we accept, what it refuses we refuse."""
    body = json.dumps([click()]) + "\r\n"
    headers = signed(body.encode())
    ours = SendGridSignature.of([SENDGRID_KEY], timedelta(hours=25))
    assert ours is not None
    theirs = EventWebhook(SENDGRID_KEY)

    for text, fits in ((body, True), (body.strip(), False)):
        assert theirs.verify_signature(text, headers[SIGNATURE], headers[TIMESTAMP]) is fits
        assert (ours.fault(headers, text.encode(), datetime.now(UTC)) is None) is fits


def test_while_a_key_is_exchanged_both_are_taken(migrated_url: str) -> None:
    """In either order, separated as the setting says; a third key signs nothing."""
    new = ec.generate_private_key(ec.SECP256R1())
    shown = new.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with serving(migrated_url, sendgrid_webhook_key=f"{base64.b64encode(shown).decode()} {SENDGRID_KEY}") as service:
        assert service.sendgrid([click(1)]).json()["new"] == 1
        body = json.dumps([click(2)]).encode()
        assert service.sendgrid(body, **signed(body, key=new)).json()["new"] == 1
        assert service.sendgrid(body, **signed(body, key=ec.generate_private_key(ec.SECP256R1()))).status_code == 403


def test_without_a_key_sendgrid_is_asked_to_try_again_later(migrated_url: str) -> None:
    """A setting that was forgotten loses no events: SendGrid repeats them for 24 hours."""
    with serving(migrated_url, sendgrid_webhook_key=None) as service:
        answer = service.sendgrid([click()])
    assert (answer.status_code, answer.json()["code"]) == (503, "not_set_up")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"event": "unsubscribe"}, "opt-out"),
        ({"event": "group_unsubscribe", "asm_group_id": 5}, "opt-out"),
        ({"event": "spamreport"}, "complaint"),
        ({"event": "bounce", "type": "bounce", "status": "5.1.1"}, "hard-bounce"),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, "opt-out"),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, "complaint"),
        ({"event": "dropped", "reason": "Bounced Address"}, "hard-bounce"),
        ({"event": "dropped", "reason": "Invalid"}, "hard-bounce"),
        ({"event": "bounce", "type": "blocked"}, None),
        ({"event": "bounce", "type": "bounce", "status": "5.2.2", "reason": "552 mailbox full"}, None),
        ({"event": "bounce", "type": "bounce", "status": "5.7.1", "reason": "550 5.7.1 refused by policy"}, None),
        ({"event": "dropped", "reason": "Invalid SMTPAPI header"}, None),
        ({"event": "dropped", "reason": "Recipient List over Package Quota"}, None),
        ({"event": "dropped", "reason": "Spam Content (if spam checker app enabled)"}, None),
        ({"event": "deferred"}, None),
        ({"event": "group_resubscribe"}, None),
    ],
)
def test_what_forbids_mail_suppresses_the_lead_with_the_event(
    service: Service, store: Store, event: dict[str, Any], reason: str | None
) -> None:
    """The answer comes after the commit of both."""
    service.sendgrid([click(2), click(**event)])

    assert store.suppressions() == ({("l1", reason)} if reason else set())
    assert [stored.lead_id for stored in store.events()] == [None, "l1" if reason else None]


@pytest.mark.parametrize("who", [{}, {"perennial_touch_id": "of-another-system"}, {"perennial_touch_id": 7}])
def test_a_bounce_without_our_touch_is_known_by_its_address(
    service: Service, store: Store, who: dict[str, Any]
) -> None:
    """Some bounces lack the custom arguments; the address may be spelled otherwise."""
    bounce = {"event": "bounce", "type": "bounce", "status": "5.1.1", "email": " ADA@Example.com", "timestamp": 1} | who

    service.sendgrid([bounce])

    assert store.suppressions() == {("l1", "hard-bounce")}


@pytest.mark.parametrize("email", ["nobody@example.com", "not an address", None, 5])
def test_a_stop_for_somebody_unknown_is_stored_all_the_same(service: Service, store: Store, email: Any) -> None:
    """Whoever it is about is no lead of ours, now."""
    assert service.sendgrid([{"event": "unsubscribe", "email": email, "timestamp": 1}]).json()["new"] == 1
    assert store.suppressions() == set()


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        ({"event": "unsubscribe"}, ["opt-out"]),
        ({"event": "group_unsubscribe"}, ["opt-out"]),
        ({"event": "spamreport", "perennial_touch_id": "of-another-system"}, ["complaint"]),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, ["opt-out"]),
        ({"event": "bounce", "type": "bounce", "status": "5.1.1"}, []),
        ({"event": "group_resubscribe"}, []),
    ],
)
def test_an_opt_out_of_an_address_of_nobody_is_kept_as_a_hash(
    service: Service, store: Store, event: dict[str, Any], kept: list[str]
) -> None:
    """A list that names the address tomorrow makes no lead of it. A bounce is the mailbox's word, not the person's."""
    stop = {"email": " Nobody@Example.com", "timestamp": 1} | event
    service.sendgrid([stop, stop | {"sg_event_id": "another", "timestamp": 2}])

    async def reasons(session: AsyncSession) -> list[str]:
        return [row.reason for row in await session.scalars(select(SuppressedAddress))]

    assert store.run(reasons) == kept


def test_an_old_opt_out_that_comes_again_does_not_undo_a_return(service: Service, store: Store) -> None:
    """The lead opted out, came back, and SendGrid repeats the opt-out of before."""
    opt_out = click(event="unsubscribe")
    service.sendgrid([opt_out])

    async def come_back(session: AsyncSession) -> None:
        await session.execute(delete(Suppression))

    store.run(come_back)
    service.sendgrid([opt_out])

    assert store.suppressions() == set()


def test_an_opt_out_of_before_a_return_that_comes_late_is_kept_and_not_heeded(service: Service, store: Store) -> None:
    """SendGrid gives no order, and an event may be a day late: the later word of the lead counts."""
    opt_out = click(event="unsubscribe")
    returned = datetime.fromtimestamp(opt_out["timestamp"] + 60, UTC)
    store.add(granted(at=returned, source="preferences", action="confirmed"))

    assert service.sendgrid([opt_out]).json()["new"] == 1
    assert store.suppressions() == set()


def test_a_stop_for_a_lead_that_was_merged_stops_the_one_that_goes_on(service: Service, store: Store) -> None:
    """Step by step to the end."""
    for number, into in (("l2", "l3"), ("l3", "l1")):
        store.add(person(number, merged_into=into))

    service.sendgrid([{"event": "spamreport", "email": "l2@example.com", "timestamp": 1}])

    assert store.suppressions() == {("l1", "complaint")}
    assert [event.lead_id for event in store.events()] == ["l1"]


def test_two_thousand_opt_outs_fit_in_one_batch(service: Service, store: Store) -> None:
    """Of as many leads: more than a statement takes values at a time."""
    store.add(*(person(f"x{n}") for n in range(2500)))
    opt_outs = [click(n, event="unsubscribe", email=f"x{n}@example.com", perennial_touch_id="") for n in range(2500)]

    assert service.sendgrid(opt_outs).json()["new"] == 2500
    assert store.suppressions() == {(f"x{n}", "opt-out") for n in range(2500)}


def test_deliveries_that_cross_each_other_are_all_stored(migrated_url: str, store: Store) -> None:
    """Ten copies of one batch at once, each in another order: nobody waits for ever, nobody gets an error."""
    batch = [click(n) for n in range(200)]
    with serving(migrated_url) as service, ThreadPoolExecutor(10) as pool:
        orders = [batch[n:] + batch[:n] if n % 2 else batch[::-1] for n in range(10)]
        answers = list(pool.map(service.sendgrid, orders))

    assert [answer.status_code for answer in answers] == [200] * 10
    assert sum(answer.json()["new"] for answer in answers) == 200
    assert len(store.events()) == 200
