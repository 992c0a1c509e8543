"""The CRM's events: signed as Standard Webhooks asks, about a lead we know, stored once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.leads import Identity
from tests.builders import NOON, person
from tests.web.serving import CRM_SECRET, Service, serving
from tests.web.stored import Store

KINDS = ("deal.opened", "deal.won", "deal.lost", "lead.disqualified", "sales.accepted", "sales.rejected")
LOST = {"type": "deal.lost", "data": {"lead": "l1", "reason": "budget"}}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_stored_with_its_lead(service: Service, store: Store, kind: str) -> None:
    """Ready for the lead's journeys."""
    answer = service.crm({"type": kind, "data": {"lead": "l1"}, "timestamp": "2026-03-01T12:00:00Z"})

    assert (answer.status_code, answer.json()) == (200, {"new": True})
    (event,) = store.events()
    assert (event.source, event.lead_id, event.body["type"], event.event_id) == ("crm", "l1", kind, "msg_1")


@pytest.mark.parametrize("name", ["l1", "crm-7", "ADA@example.com", "0061x00000ABC", "old@example.com"])
def test_a_lead_is_known_by_any_of_its_names(service: Service, store: Store, name: str) -> None:
    """Its id, external id, address, the CRM's own id, and those of a lead that was merged into it."""
    store.add(
        Identity(kind="crm", value="0061x00000ABC", lead_id="l1", at=NOON),
        person("l2", email="old@example.com", email_key="old@example.com", merged_into="l1"),
    )

    service.crm({"type": "deal.won", "data": {"lead": name}})

    assert [event.lead_id for event in store.events()] == ["l1"]


def test_a_message_counts_once_by_its_webhook_id(service: Service, store: Store) -> None:
    """The sender repeats until it hears 2xx."""
    assert [service.crm(LOST).json()["new"] for _ in range(2)] == [True, False]
    assert service.crm(LOST, webhook_id="msg_2").json() == {"new": True}
    assert len(store.events()) == 2


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("event", "headers", "refusal"),
    [
        (LOST, {"webhook-signature": ""}, (401, "signature_missing")),
        (LOST, {"webhook-signature": "v1"}, (403, "signature")),
        (LOST, {"webhook-signature": "v1,%%%"}, (403, "signature")),
        (LOST, {"webhook-signature": "v1,AAAA"}, (403, "signature")),
        (LOST, {"webhook-timestamp": "nan"}, (403, "signature")),
        (LOST, {"webhook-timestamp": "1"}, (403, "stale")),
        (LOST, {"content-type": "text/xml"}, (400, "content_type")),
        (b"\xff", {}, (403, "signature")),
        (b"{", {}, (400, "json")),
        ([], {}, (400, "input")),
        ({"type": "deal.paused", "data": {"lead": "l1"}}, {}, (400, "input")),
        ({"type": "deal.won", "data": {}}, {}, (400, "input")),
        ({"type": "deal.won", "data": {"lead": "l1", "at": "2026-03-01T12:00:00"}}, {}, (400, "input")),
        ({"type": "deal.won", "data": {"lead": "l1", "at": "2999-03-01T12:00:00Z"}}, {}, (400, "input")),
        ({"type": "deal.won", "data": {"lead": "l1", "amount": 12}}, {}, (400, "input")),
        ({"type": "deal.won", "data": {"lead": "l1", "amount": -1, "currency": "EUR"}}, {}, (400, "input")),
        ({"type": "deal.won", "data": {"lead": "nobody@example.com"}}, {}, (404, "unknown_lead")),
        ({"type": "deal.won", "data": {"lead": "@"}}, {}, (404, "unknown_lead")),
        (b" " * 70_000, {}, (413, "too_large")),
    ],
)
def test_what_cannot_be_taken_is_refused_with_the_reason(
    lasting: Service, event: Any, headers: dict[str, str], refusal: tuple[int, str]
) -> None:
    """And nothing of it is stored."""
    answer = lasting.crm(event, **headers)

    assert (answer.status_code, answer.json()["code"]) == refusal


@pytest.mark.usefixtures("nothing_stored")
def test_a_refusal_says_what_is_wrong_and_does_not_repeat_what_was_sent(lasting: Service) -> None:
    """An address sent in the wrong place ends in nobody's log."""
    said = lasting.crm({"type": "ada@example.com", "data": {"lead": "l1"}}).json()["message"]

    assert "deal.opened" in said
    assert "ada@" not in said


@pytest.mark.usefixtures("nothing_stored")
def test_another_secret_signs_nothing(lasting: Service) -> None:
    """Only the CRM can report deals."""
    assert lasting.crm(LOST, secret="whsec_" + "A" * 32).status_code == 403


def test_while_a_secret_is_exchanged_both_are_taken(migrated_url: str, store: Store) -> None:
    """So that nothing is lost between the change here and the change there."""
    new = "whsec_" + "B" * 32
    with serving(migrated_url, crm_webhook_secret=f"{new} {CRM_SECRET}") as service:
        assert service.crm(LOST, "msg_1", CRM_SECRET).status_code == 200
        assert service.crm(LOST, "msg_2", new).status_code == 200
        assert service.crm(LOST, "msg_3", "whsec_" + "A" * 32).status_code == 403
    assert len(store.events()) == 2


def test_when_it_happened_is_kept(service: Service, store: Store) -> None:
    """With its zone, for the journeys to read."""
    at = (datetime.now(UTC) - timedelta(days=1)).isoformat()

    service.crm({"type": "deal.won", "data": {"lead": "l1", "at": at}})

    assert datetime.fromisoformat(store.events()[0].body["data"]["at"]) == datetime.fromisoformat(at)


def test_a_deals_amount_is_kept(service: Service, store: Store) -> None:
    """As a decimal number, with its currency and the deal's id."""
    service.crm({"type": "deal.won", "data": {"lead": "l1", "deal": "D-7", "amount": 1200.5, "currency": "EUR"}})
    (event,) = store.events()
    assert {key: event.body["data"][key] for key in ("deal", "amount", "currency")} == {
        "deal": "D-7",
        "amount": "1200.5",
        "currency": "EUR",
    }


def test_without_a_secret_nothing_is_taken_unsigned(migrated_url: str) -> None:
    """The sender is asked to try again once it is set up."""
    with serving(migrated_url, crm_webhook_secret=None) as service:
        assert service.crm(LOST).status_code == 503
