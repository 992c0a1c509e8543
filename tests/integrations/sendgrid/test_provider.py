"""The SendGrid provider: the real package against a real mailbox process, and against hosts that are none."""

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from typing import Any

import pytest

from nurture.errors import SettingsError
from perennial.channels.ports import (
    Envelope,
    NotSentError,
    SendError,
    SendingStoppedError,
    TryLaterError,
    UnknownFateError,
)
from perennial.integrations.sendgrid.provider import SendGridProvider, request_body
from perennial.mailroom.faults import Fault
from tests.mailroom.running import Running, running

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
numbers = count(1)


def envelope(**changes: Any) -> Envelope:
    number = next(numbers)
    given: dict[str, Any] = {
        "touch_id": f"tc{number:04}",
        "lead_id": "ld1",
        "to": f"ada{number}@contoso.example",
        "sender_name": "Dana Reyes",
        "sender_address": "dana@northwind.example",
        "reply_to": "hello@northwind.example",
        "subject": "Welcome",
        "text": "Hello Ada",
        "html": '<p>Hello Ada, <a href="https://northwind.example/guide">read</a></p>',
        "categories": ("new-lead", "welcome"),
        "at": NOW,
        "headers": {
            "List-Unsubscribe": "<https://northwind.example/u/1>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    }
    return Envelope(**(given | changes))


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("sendgrid"), "--api-key", "SG.right") as mailbox:
        yield mailbox


@pytest.fixture
def provider(mailbox: Running) -> Iterator[SendGridProvider]:
    with closing(SendGridProvider("SG.right", mailbox.url)) as provider:
        yield provider


def times_accepted(mailbox: Running, sent: Envelope) -> int:
    return sum(row["touch_id"] == sent.touch_id for row in mailbox.client.accepted())


async def test_an_accepted_message_arrives_whole_and_its_id_is_sendgrids(
    mailbox: Running, provider: SendGridProvider
) -> None:
    """202: the id begins the events' message id, and the lead gets both parts, our headers and our sender."""
    sent = envelope()

    message_id = await provider.send(sent)

    got = mailbox.client.message(sent.touch_id)
    assert got["sg_message_id"].split(".")[0] == message_id
    assert (got["to"], got["subject"], got["text"], got["html"]) == (sent.to, sent.subject, sent.text, sent.html)
    assert got["from"] == "Dana Reyes <dana@northwind.example>"
    assert got["reply_to"] == "hello@northwind.example"
    assert got["headers"] == sent.headers
    assert got["categories"] == ["new-lead", "welcome"]
    assert got["custom_args"] == {"perennial_touch_id": sent.touch_id}


def test_a_request_turns_sendgrids_own_unsubscribing_off_and_clicks_on() -> None:
    """Consent is ours to keep; clicks are SendGrid's to count."""
    tracking = request_body(envelope())["tracking_settings"]

    assert tracking["subscription_tracking"] == {"enable": False}
    assert tracking["click_tracking"]["enable"] is True


def test_a_request_names_the_lead_nowhere_but_in_the_address() -> None:
    """Categories and custom arguments are kept by SendGrid for good, so nothing personal stands there."""
    sent = envelope(to="ada@contoso.example", lead_id="ld77")
    body = request_body(sent)

    assert body.pop("personalizations") == [{"to": [{"email": "ada@contoso.example"}]}]
    assert "ada@contoso" not in str(body)
    assert "ld77" not in str(body)


@pytest.mark.parametrize("name", ["Reyes, Dana", "Dana; Northwind", "Dana\r\nBcc: x", "Dana  Reyes"])
async def test_a_name_that_sendgrid_would_split_is_sent_plain(
    mailbox: Running, provider: SendGridProvider, name: str
) -> None:
    """A comma or a semicolon in a name fails at SendGrid, and a line break would write headers."""
    sent = envelope(sender_name=name)

    await provider.send(sent)

    said = mailbox.client.message(sent.touch_id)["from"].rpartition(" <")[0].strip('"')
    assert said.split() == [word.strip(",;") for word in name.split()]


STOPPED, LATER, UNKNOWN = SendingStoppedError, TryLaterError, UnknownFateError


@pytest.mark.parametrize(
    ("kind", "error", "code", "accepted"),
    [
        ("rate_limited", LATER, "429", 0),
        ("error_before", UNKNOWN, "500", 0),
        ("error_after", UNKNOWN, "500", 1),
        ("drop_before", UNKNOWN, "dropped", 0),
        ("drop_after", UNKNOWN, "dropped", 1),
        ("slow", UNKNOWN, "timeout", 1),
        ("unauthorised", STOPPED, "401", 0),
        ("forbidden", STOPPED, "403", 0),
        ("quota", STOPPED, "quota", 0),
    ],
)
async def test_each_fault_is_told_as_what_it_means_for_the_message(
    mailbox: Running, kind: str, error: type[SendError], code: str, accepted: int
) -> None:
    """The error says whether the message may have left, and the mailbox's record agrees; its code may be shown."""
    mailbox.client.fault(Fault.model_validate({"kind": kind, "seconds": 3}))
    sent = envelope()

    with (
        closing(SendGridProvider("SG.right", mailbox.url, timeout=timedelta(seconds=1))) as provider,
        pytest.raises(error) as caught,
    ):
        await provider.send(sent)

    assert times_accepted(mailbox, sent) == accepted
    assert caught.value.code == code
    assert "@" not in str(caught.value)


async def test_too_many_requests_are_tried_again_when_sendgrid_says(
    mailbox: Running, provider: SendGridProvider
) -> None:
    """429 carries `X-RateLimit-Reset`, and the next try waits for it."""
    mailbox.client.fault(Fault(kind="rate_limited", seconds=90))

    with pytest.raises(TryLaterError) as caught:
        await provider.send(envelope())

    assert caught.value.after is not None
    assert timedelta(seconds=60) < caught.value.after <= timedelta(seconds=90)


async def test_a_used_up_quota_is_said_as_that(mailbox: Running, provider: SendGridProvider) -> None:
    """401 "Maximum credits exceeded" is about the plan and not about the key."""
    mailbox.client.fault(Fault(kind="quota"))

    with pytest.raises(SendingStoppedError, match="quota is used up"):
        await provider.send(envelope())


async def test_neither_the_key_nor_the_mail_is_logged_at_any_level(
    mailbox: Running, provider: SendGridProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """SendGrid's package writes both at debug level if it is let."""
    sent = envelope()

    with caplog.at_level(logging.DEBUG):
        await provider.send(sent)

    assert "SG.right" not in caplog.text
    assert sent.to not in caplog.text


async def test_a_wrong_key_stops_sending(mailbox: Running) -> None:
    """No lead is to blame for a key."""
    with closing(SendGridProvider("SG.wrong", mailbox.url)) as provider, pytest.raises(SendingStoppedError):
        await provider.send(envelope())


async def test_a_closed_port_is_surely_not_sent_and_an_open_one_takes_the_next(
    mailbox: Running, provider: SendGridProvider
) -> None:
    """Connection refused: nothing left, so that it may be tried again; and it works once the outage is over."""
    sent = envelope()
    mailbox.client.fault(Fault(kind="refuse", seconds=1))

    with pytest.raises(TryLaterError, match="refused"):
        await provider.send(sent)

    mailbox.await_back()
    await provider.send(sent)
    assert times_accepted(mailbox, sent) == 1


async def test_an_unknown_host_is_surely_not_sent() -> None:
    """No name, no connection, no mail."""
    with closing(SendGridProvider("SG.x", "http://nowhere.invalid")) as provider, pytest.raises(TryLaterError):
        await provider.send(envelope())


async def test_a_refused_recipient_settles_the_message_without_his_address(
    mailbox: Running, provider: SendGridProvider
) -> None:
    """400 about the lead: not sent, and the reason can go into a history."""
    sent = envelope(to="ada.lovelace@@contoso")

    with pytest.raises(NotSentError) as caught:
        await provider.send(sent)

    assert "Does not contain a valid address" in str(caught.value)
    assert "lovelace" not in str(caught.value)
    assert times_accepted(mailbox, sent) == 0


@pytest.mark.parametrize("field", ["sender_address", "reply_to"])
async def test_a_refused_sender_stops_sending(provider: SendGridProvider, field: str) -> None:
    """400 about our own address would meet every lead alike."""
    with pytest.raises(SendingStoppedError, match="check the sender"):
        await provider.send(envelope(**{field: "dana at northwind"}))


async def test_a_message_beyond_30_megabytes_is_settled_as_not_sent(provider: SendGridProvider) -> None:
    """413 ends the same on every try."""
    with pytest.raises(NotSentError, match="413"):
        await provider.send(envelope(html="x" * (30 * 1024 * 1024)))


async def test_the_sandbox_checks_and_sends_nothing(mailbox: Running) -> None:
    """200 is an acceptance there, and no mail leaves."""
    sent = envelope()

    with closing(SendGridProvider("SG.right", mailbox.url, sandbox=True)) as provider:
        assert await provider.send(sent)

    assert times_accepted(mailbox, sent) == 0


async def test_a_message_that_waits_for_a_free_thread_too_long_never_leaves(mailbox: Running) -> None:
    """Behind a slow SendGrid the queue may outlast the activity: what has not begun is dropped."""
    mailbox.client.fault(Fault(kind="slow", seconds=4))
    first, second = envelope(), envelope()
    provider = SendGridProvider(
        "SG.right", mailbox.url, at_once=1, timeout=timedelta(seconds=10), deadline=timedelta(seconds=1)
    )
    with closing(provider):
        answers = await asyncio.gather(provider.send(first), provider.send(second), return_exceptions=True)

    assert [type(answer) for answer in answers] == [UnknownFateError, TryLaterError]
    assert (times_accepted(mailbox, first), times_accepted(mailbox, second)) == (1, 0)


@pytest.mark.parametrize(("tells", "at"), [(True, True), (False, False)])
async def test_the_journeys_time_goes_along_only_where_it_is_asked_for(mailbox: Running, tells: bool, at: bool) -> None:
    """A mailbox under a fast clock needs it, SendGrid does not."""
    sent = envelope()

    with closing(SendGridProvider("SG.right", mailbox.url, tells_time=tells)) as provider:
        await provider.send(sent)

    assert (mailbox.client.message(sent.touch_id)["at"] == NOW.isoformat()) is at


async def test_sendgrid_cannot_be_asked_what_became_of_a_message(provider: SendGridProvider) -> None:
    """There is no idempotency key and no look-up: only the webhook settles it."""
    assert await provider.fate("tc1") == "unknown"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, UNKNOWN),
        (302, UNKNOWN),
        (307, STOPPED),
        (404, STOPPED),
        (405, STOPPED),
        (408, LATER),
        (409, NotSentError),
        (415, STOPPED),
        (422, NotSentError),
        (502, UNKNOWN),
        (503, UNKNOWN),
        (504, UNKNOWN),
    ],
)
async def test_statuses_of_hosts_that_are_not_sendgrid(status: int, error: type[SendError]) -> None:
    """A proxy or a wrong host answers too, with a page for a body; a 302 is followed to one that answers 200."""
    with answering(status) as host, closing(SendGridProvider("SG.x", host)) as provider, pytest.raises(error):
        await provider.send(envelope())


async def test_a_host_that_hangs_up_while_it_answers_leaves_the_fate_unknown() -> None:
    """Half an answer says nothing."""
    with (
        hanging_up(b"HTTP/1.1 2") as host,
        closing(SendGridProvider("SG.x", host)) as provider,
        pytest.raises(UnknownFateError),
    ):
        await provider.send(envelope())


@pytest.mark.parametrize("key", ["", "SG.a b", "SG.a\nX: y", "SG.ä"])
def test_a_key_that_cannot_be_one_is_refused_at_once(key: str) -> None:
    """A setting is wrong before the first lead meets it."""
    with pytest.raises(SettingsError, match="key"):
        SendGridProvider(key)


@pytest.mark.parametrize(
    "host", ["api.sendgrid.com", "ftp://x", "https://", "http://a:b", "https://x/v3", "http://u:p@x"]
)
def test_a_host_that_cannot_be_one_is_refused_at_once(host: str) -> None:
    """A setting is wrong before the first lead meets it."""
    with pytest.raises(SettingsError, match="host"):
        SendGridProvider("SG.x", host)


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A host that answers everything with one status and a page."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def do_GET(self) -> None:
            self.send_response(status if self.path != "/moved" else 200)
            self.send_header("Location", "/moved" if status == 302 and self.path != "/moved" else "")
            self.send_header("Content-Length", "13")
            self.end_headers()
            self.wfile.write(b"<html></html>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def hanging_up(said: bytes) -> Iterator[str]:
    """A host that takes one request, begins to answer and goes."""

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()
