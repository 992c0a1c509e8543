"""Segment's API: real client libraries work unchanged, an event counts once, a wrong clock is put right."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rudderstack.analytics.client import Client as RudderStackClient
from segment.analytics.client import Client as SegmentClient

from nurture.timing.clock import Clock
from perennial.intake.visitors import visitor_of
from perennial.integrations.segment.calls import KINDS, happened_at, in_batch, incoming
from tests.web.serving import Service
from tests.web.stored import Store

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
IN_A_BROWSER = {"origin": "https://www.northwind.example", "content-type": "text/plain"}
MINIMAL: dict[str, dict[str, Any]] = {kind: {"userId": "u-42"} for kind in KINDS} | {
    "track": {"userId": "u-42", "event": "Demo Requested"},
    "group": {"anonymousId": "a-7", "groupId": "acme"},
    "alias": {"userId": "u-42", "previousId": "a-7"},
}


@pytest.mark.parametrize("library", [SegmentClient, RudderStackClient])
def test_a_client_library_works_with_nothing_but_our_address_and_a_key(
    service: Service, store: Store, library: Any
) -> None:
    """Segment's sends plain JSON, RudderStack's gzip; both batch, and both raise unless the answer is theirs."""
    failures: list[Exception] = []
    client = library(
        service.keys["ingest"], host=service.url, on_error=lambda error, _: failures.append(error), sync_mode=False
    )

    client.page(anonymous_id="a-7", name="Pricing", properties={"path": "/pricing"})
    client.identify(user_id="u-42", anonymous_id="a-7", traits={"email": "ada@example.com"})
    client.track(user_id="u-42", event="Demo Requested", properties={"plan": "team"})
    client.flush()
    client.join()

    events = store.events()
    assert failures == []
    assert [event.body["type"] for event in events] == ["page", "identify", "track"]
    assert [event.anonymous_id for event in events][:2] == ["a-7", "a-7"]
    assert events[2].body["properties"] == {"plan": "team"}


@pytest.mark.usefixtures("nothing_stored")
def test_a_client_library_is_told_when_its_key_is_wrong(lasting: Service) -> None:
    """The error carries our code and sentence, not a parse failure."""
    failures: list[Exception] = []
    client = SegmentClient("wrong", host=lasting.url, on_error=lambda error, _: failures.append(error), max_retries=1)

    client.track(user_id="u-42", event="Demo Requested")
    client.flush()
    client.join()

    assert [getattr(error, "code", None) for error in failures] == ["key_unknown"]


@pytest.mark.parametrize("kind", KINDS)
def test_analytics_js_posts_from_another_site_with_its_key_in_the_body(
    service: Service, store: Store, kind: str
) -> None:
    """As its fetch does: a path of one letter, text/plain, no header; without leave to read it would post for ever."""
    message = MINIMAL[kind] | {"messageId": "m-1", "writeKey": service.keys["ingest"]}

    answer = service.client.post(f"/v1/{kind[0]}", content=json.dumps(message), headers=IN_A_BROWSER)

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    (event,) = store.events()
    assert (event.event_id, event.body["type"]) == ("m-1", kind)
    assert "writeKey" not in event.body


def test_analytics_js_batches_with_its_key_beside_the_batch(service: Service, store: Store) -> None:
    """Its batching strategy; each event says the key once more."""
    key = service.keys["ingest"]
    batch = [{"type": kind, "writeKey": key, **MINIMAL[kind]} for kind in ("page", "track")]

    answer = service.client.post(
        "/v1/b",
        content=json.dumps({"writeKey": key, "batch": batch, "sentAt": "2026-03-01T12:00:00Z"}),
        headers=IN_A_BROWSER,
    )

    assert answer.status_code == 200
    assert [event.body["type"] for event in store.events()] == ["page", "track"]
    assert key not in json.dumps([event.body for event in store.events()])


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("key", [None, "", 7, "prn_unknown", "support"])
def test_a_key_in_the_body_is_held_to_the_same_rules(lasting: Service, key: Any) -> None:
    """And the page's script may read why."""
    given = lasting.keys.get(key, key) if isinstance(key, str) else key

    answer = lasting.client.post(
        "/v1/p", content=json.dumps(MINIMAL["page"] | {"writeKey": given}), headers=IN_A_BROWSER
    )

    assert answer.status_code == (403 if key == "support" else 401)
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_browser_that_asks_for_leave_gets_it_for_this_api_alone(lasting: Service) -> None:
    """RudderStack's library sends headers of its own, which a browser asks about first."""
    asked = {
        "origin": "https://www.northwind.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "anonymousid,authorization,content-type",
    }

    answer = lasting.client.options("/v1/track", headers=asked)
    elsewhere = lasting.client.options("/webhooks/sendgrid", headers=asked)

    assert answer.status_code == 200
    assert {"anonymousid", "authorization", "content-type"} <= set(
        answer.headers["access-control-allow-headers"].replace(" ", "").split(",")
    )
    assert "access-control-allow-origin" not in elsewhere.headers


def test_events_that_only_a_user_id_names_wait_under_it(service: Service, store: Store) -> None:
    """As a visitor's do, until that user is a lead; a number is an id too."""
    service.segment("/v1/page", {"userId": 42})
    service.segment("/v1/page", {"userId": 42, "anonymousId": "a-7"})
    service.segment("/v1/page", {"userId": "u" * 128})

    assert [event.anonymous_id for event in store.events()] == [visitor_of("42"), "a-7", None]


@pytest.mark.parametrize("kind", KINDS)
def test_each_call_is_stored_as_its_kind(service: Service, store: Store, kind: str) -> None:
    """The path says the kind, whatever the body says."""
    answer = service.segment(f"/v1/{kind}", MINIMAL[kind] | {"type": "other", "messageId": "m-1"})

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    (event,) = store.events()
    assert (event.source, event.event_id, event.body["type"], event.state) == ("segment", "m-1", kind, "new")


def test_a_message_counts_once_by_its_id_on_whatever_path(service: Service, store: Store) -> None:
    """A library that heard no answer sends the same again, maybe in another batch."""
    message = MINIMAL["track"] | {"messageId": "m-1"}
    service.segment("/v1/track", message)
    service.segment("/v1/track", message)
    service.segment("/v1/batch", {"batch": [message | {"type": "track"}, message | {"type": "track"}]})

    assert len(store.events()) == 1


def test_without_an_id_each_call_counts(service: Service, store: Store) -> None:
    """Two equal page views are two page views."""
    for _ in range(2):
        service.segment("/v1/page", MINIMAL["page"])

    assert len(store.events()) == 2


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("path", "body", "refusal"),
    [
        ("/v1/track", {"userId": "u"}, (400, "track")),
        ("/v1/track", {"event": "x"}, (400, "track")),
        ("/v1/track", {"userId": "", "anonymousId": [], "event": "x"}, (400, "track")),
        ("/v1/identify", {"userId": "u" * 129}, (400, "identify")),
        ("/v1/group", {"userId": "u"}, (400, "group")),
        ("/v1/identify", [], (400, "json")),
        ("/v1/identify", b"{", (400, "json")),
        ("/v1/identify", {"userId": "u", "traits": {"x": "y" * 33_000}}, (413, "too_large")),
        ("/v1/batch", {"batch": {}}, (400, "batch")),
        ("/v1/batch", {"batch": [{"type": "track"}]}, (400, "batch")),
        ("/v1/batch", {"batch": [], "x": "y" * 520_000}, (413, "too_large")),
    ],
)
def test_what_segment_would_not_take_is_refused_with_the_reason(
    lasting: Service, path: str, body: Any, refusal: tuple[int, str]
) -> None:
    """In the shape that its libraries read: code and message."""
    answer = lasting.segment(path, body)

    assert (answer.status_code, answer.json()["code"]) == refusal


def test_the_usable_events_of_a_batch_are_taken_and_the_others_named(service: Service, store: Store) -> None:
    """One oversized or nameless event does not cost the other ninety-eight."""
    good = [{"type": "track", "userId": "u", "event": "x", "messageId": f"m-{n}"} for n in range(98)]
    large = {"type": "identify", "userId": "u", "traits": {"bio": "é" * 17_000}}

    answer = service.segment("/v1/batch", {"batch": [large, *good, {"type": "teleport", "userId": "u"}]})

    assert answer.json()["success"] is True
    assert [one["index"] for one in answer.json()["refused"]] == [0, 99]
    assert len(store.events()) == 98


def test_a_batch_shares_its_context_and_its_clock(service: Service, store: Store) -> None:
    """What an event does not say itself it has from its batch."""
    events = [{"type": "page", "userId": "u"}, {"type": "page", "userId": "u", "context": {"own": True}}]

    service.segment("/v1/batch", {"batch": events, "context": {"ip": "192.0.2.1"}})

    assert [event.body["context"] for event in store.events()] == [{"ip": "192.0.2.1"}, {"own": True}]


@pytest.mark.usefixtures("nothing_stored")
def test_a_gzip_bomb_is_not_unpacked(lasting: Service) -> None:
    """A hundred megabytes in a hundred kilobytes end at the limit."""
    bomb = gzip.compress(b" " * 100_000_000)

    assert lasting.segment("/v1/batch", bomb, **{"content-encoding": "gzip"}).status_code == 413
    cut = gzip.compress(json.dumps({"batch": []}).encode())[:-8]
    assert lasting.segment("/v1/batch", cut, **{"content-encoding": "gzip"}).json()["code"] == "encoding"


def test_a_clock_that_is_wrong_is_put_right() -> None:
    """The library's clock is two hours ahead; what happened a minute before it was sent happened a minute ago."""
    ahead = RECEIVED + timedelta(hours=2)
    stamps = ((ahead - timedelta(minutes=1)).isoformat(), ahead.isoformat())

    for name in ("timestamp", "originalTimestamp"):
        message = {name: stamps[0], "sentAt": stamps[1]}
        assert happened_at(message, RECEIVED) == RECEIVED - timedelta(minutes=1)


def test_a_timestamp_that_was_set_right_already_is_not_set_right_again() -> None:
    """A server passes on what it took: RudderStack, or Segment's webhook; its sentAt is the library's."""
    ahead = RECEIVED - timedelta(days=1) + timedelta(hours=2)
    message = {"originalTimestamp": ahead.isoformat(), "sentAt": ahead.isoformat()}
    right = RECEIVED - timedelta(days=1)
    assert happened_at({**message, "timestamp": right.isoformat()}, RECEIVED) == right


@pytest.mark.parametrize("name", ["timestamp", "originalTimestamp"])
def test_an_event_of_an_hour_offline_keeps_its_time(name: str) -> None:
    """It carries the sentAt of the try that failed; the batch that came through says when it was sent."""
    left = RECEIVED - timedelta(hours=1)
    element = {name: left.isoformat(), "sentAt": (left + timedelta(seconds=2)).isoformat()}
    assert happened_at(in_batch(element, {"sentAt": RECEIVED.isoformat()}), RECEIVED) == left
    assert happened_at(in_batch(element, {"sentAt": "soon"}), RECEIVED) == RECEIVED - timedelta(seconds=2)
    assert happened_at({name: left.isoformat()}, RECEIVED) == left


def test_without_sent_at_a_timestamp_is_taken_as_it_is() -> None:
    """An import of last year's events keeps their times; a time to come becomes now."""
    assert happened_at({"timestamp": "2025-01-01T00:00:00.000Z"}, RECEIVED) == datetime(2025, 1, 1, tzinfo=UTC)
    assert happened_at({"originalTimestamp": "2027-01-01T00:00:00Z"}, RECEIVED) == RECEIVED


JUNK = st.none() | st.integers() | st.text(max_size=40) | st.lists(st.integers()) | st.datetimes().map(str)
ZONED = st.datetimes(timezones=st.timezones()).map(datetime.isoformat)


@given(timestamp=JUNK | ZONED, original=JUNK | ZONED, sent_at=JUNK | ZONED)
def test_whatever_the_stamps_say_nothing_happens_in_the_future(timestamp: Any, original: Any, sent_at: Any) -> None:
    """And no stamp, however wild, is an error."""
    message = {"timestamp": timestamp, "originalTimestamp": original, "sentAt": sent_at}
    assert happened_at(message, RECEIVED) <= RECEIVED


@given(timestamp=ZONED)
def test_a_fast_clock_takes_any_stamp(timestamp: str) -> None:
    """At a year a second the year 1 lies beyond the calendar."""
    clock = Clock(real=RECEIVED - timedelta(hours=1), virtual=RECEIVED, speed=86_400)
    stored = incoming({"type": "page", "userId": "u", "timestamp": timestamp}, clock, RECEIVED)

    assert datetime.fromisoformat(stored.body["timestamp"]) <= clock.virtual_at(RECEIVED)
    assert stored.body["originalTimestamp"] == timestamp


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({"traits": {"industry": "!!!"}}, ["industry"]),
        ({"traits": {"industry": ["retail", "???"]}}, ["industry"]),
        ({"traits": {"topic": True, "companySize": {"from": 1}}}, ["topic", "companySize"]),
        ({"traits": {"country": "Atlantis", "address": {"country": "Lemuria"}}}, ["country", "address.country"]),
        ({"traits": {"timezone": "Mars/Olympus"}}, ["timezone"]),
        ({"traits": {"timezone": "Mars/Olympus", "country": "Japan"}}, ["timezone"]),
        ({"traits": {"consent": "yes"}}, ["consent"]),
        ({"context": {"traits": {"industry": "!"}}}, ["industry"]),
        ({"traits": {"industry": "制造业", "topic": "C++", "country": "Japan", "source": "", "role": None}}, None),
        ({"traits": {"email": "ada@example.com", "consent": {"basis": "consent"}, "plan": "!"}}, None),
    ],
)
def test_what_cannot_be_kept_is_told_to_the_sender(
    service: Service, said: dict[str, Any], fields: list[str] | None
) -> None:
    """By field, in the answer: a value is never dropped in silence. The call is stored all the same."""
    told = {"success": True} | ({"not_kept": [{"index": 0, "fields": fields}]} if fields else {})
    call = {"userId": "u-42", **said}

    assert service.segment("/v1/identify", call).json() == told
    assert service.segment("/v1/batch", {"batch": [{**call, "type": "identify"}]}).json() == told
    assert service.segment("/v1/group", {**call, "groupId": "acme"}).json() == {"success": True}
