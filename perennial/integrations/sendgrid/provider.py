"""Send through SendGrid's v3 Mail Send, by SendGrid's own package, which blocks, so in threads.

Sources: SendGrid's API reference, "Mail Send" (limits, status codes) and "Rate limits" (`X-RateLimit-Reset`).

What an answer means, and what follows:

- 202, or 200 in sandbox mode: accepted; the id is `X-Message-Id`.
- 400, 413 and other 4xx: surely not sent, nor by another try; if every error is about the sender, sending stops.
- 401, 403, 404, 405, 415, a redirect: key, sender, quota or host are wrong, which is no lead's fault; sending stops.
- 408, 429, and what fails before the whole request is out (refused, unknown host, unreachable): try later.
- 5xx, a time-out or a lost connection after it is out: perhaps sent.
"""

import asyncio
import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.client import HTTPException
from ssl import SSLCertVerificationError
from typing import Any, NoReturn
from urllib.error import URLError

from python_http_client.exceptions import HTTPError  # type: ignore[import-untyped]
from sendgrid import SendGridAPIClient  # type: ignore[import-untyped]

from nurture.errors import SettingsError
from perennial.channels.addresses import own_wire_address, wire_address
from perennial.channels.ports import (
    Envelope,
    Fate,
    NotSentError,
    SendError,
    SendingStoppedError,
    TryLaterError,
    UnknownFateError,
)
from perennial.integrations.sendgrid.events import TOUCH_ARGUMENT

SENDGRID = "https://api.sendgrid.com"
AT_HEADER = "X-Perennial-At"
"""Tells the local mailbox the journeys' time."""

_MOST_CATEGORIES, _LONGEST_CATEGORY = 10, 255
_LONGEST_REASON = 200
_LONGEST_PAUSE = timedelta(hours=1)
_ADDRESS = re.compile(r"[^\s<>\[\](),;:\"']+@[^\s<>\[\](),;:\"']+")
_UNSAFE_IN_NAME = re.compile(r"[,;\x00-\x1f\x7f\s]+")
_SETTINGS_STATUS = {401, 403, 404, 405, 415}


class SendGridProvider:
    """Sends through SendGrid, or through another server of its API at `host`.

    `timeout` bounds each wait on the network and `deadline` the whole, queue included; both lie below the send
    activity's minute. At most `at_once` requests run. With `sandbox` SendGrid checks and does not send.
    With `tells_time` the envelope's time goes along, for the local mailbox under a fast clock.
    Raises SettingsError for a key or a host that is malformed.
    """

    def __init__(
        self,
        api_key: str,
        host: str = SENDGRID,
        *,
        timeout: timedelta = timedelta(seconds=15),
        deadline: timedelta = timedelta(seconds=50),
        at_once: int = 20,
        sandbox: bool = False,
        tells_time: bool = False,
    ) -> None:
        if not (api_key.isascii() and api_key.isprintable() and api_key and " " not in api_key):
            raise SettingsError("the SendGrid key is malformed; set it to the key as SendGrid showed it, SG....")
        if not re.fullmatch(r"https?://(\[[0-9a-fA-F:]+\]|[^\s/?#:@]+)(:\d{1,5})?/*", host):
            raise SettingsError(f"{host!r} is no SendGrid host; set it to {SENDGRID}, or https://api.eu.sendgrid.com")
        # At debug level the package logs the key and the whole mail.
        logging.getLogger("python_http_client").setLevel(logging.WARNING)
        self._api_key = api_key
        self._host = host.rstrip("/")
        self._timeout = timeout.total_seconds()
        self._deadline = deadline.total_seconds()
        self._sandbox = sandbox
        self._tells_time = tells_time
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="sendgrid")

    async def send(self, envelope: Envelope) -> str:
        """Send, and return SendGrid's id of the message: its events' `sg_message_id` begins with it."""
        request = self._threads.submit(self._post, envelope)
        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.wrap_future(request)
        except TimeoutError:
            if request.cancel():
                message = "SendGrid was not asked: too many requests were waiting"
                raise TryLaterError(message, code="queue") from None
            raise UnknownFateError(f"SendGrid did not answer within {self._deadline:g} s", code="timeout") from None

    async def fate(self, touch_id: str) -> Fate:  # noqa: ARG002 - the protocol's
        """Always unknown: SendGrid has no idempotency key and cannot be asked about a touch; its webhook tells."""
        return "unknown"

    def close(self) -> None:
        """Let the threads end, and drop the requests that have not begun."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _post(self, envelope: Envelope) -> str:
        # One client a request: the calls of a client share an object that holds the headers.
        client = SendGridAPIClient(self._api_key, self._host).client
        headers = {AT_HEADER: envelope.at.isoformat()} if self._tells_time else None
        try:
            body = request_body(envelope, sandbox=self._sandbox)
        except SendError:
            raise
        except Exception as error:  # whatever it is, nothing has left
            raise TryLaterError(f"the mail could not be made ({type(error).__name__})", code="made") from error
        try:
            answer = client.mail.send.post(
                request_body=body,
                request_headers=headers,
                timeout=self._timeout,
            )
        except HTTPError as error:
            raise _refusal(error) from None
        except URLError as error:
            # urllib wraps what fails up to the last byte of the request, and nothing after it (see
            # AbstractHTTPHandler.do_open). SendGrid accepts no request that is not whole.
            _unreached(error)
        except (OSError, HTTPException) as error:
            message = f"SendGrid took the request and did not answer: {type(error).__name__}"
            raise UnknownFateError(message, code="timeout" if isinstance(error, TimeoutError) else "dropped") from None
        message_id = answer.headers.get("X-Message-Id")
        if answer.status_code == 202 or (self._sandbox and answer.status_code == 200):
            return str(message_id or envelope.touch_id)
        status = int(answer.status_code)
        raise UnknownFateError(f"the host answered {status}, as SendGrid never does; check it", code=str(status))


def request_body(envelope: Envelope, *, sandbox: bool = False) -> dict[str, Any]:
    """The body of a v3 Mail Send: one recipient, text before HTML, nothing personal in categories and arguments."""
    body: dict[str, Any] = {
        "personalizations": [{"to": [{"email": wire_address(envelope.to)}]}],
        "from": {"email": own_wire_address(envelope.sender_address), "name": _plain_name(envelope.sender_name)},
        "reply_to": {"email": own_wire_address(envelope.reply_to)},
        "subject": envelope.subject,
        "content": [
            {"type": "text/plain", "value": envelope.text},
            {"type": "text/html", "value": envelope.html},
        ],
        "categories": [each[:_LONGEST_CATEGORY] for each in dict.fromkeys(envelope.categories)][:_MOST_CATEGORIES],
        "custom_args": {TOUCH_ARGUMENT: envelope.touch_id},
        "headers": dict(envelope.headers),
        "tracking_settings": {
            "click_tracking": {"enable": True, "enable_text": False},
            "open_tracking": {"enable": True},
            # Unsubscribing is ours, by our headers and link: SendGrid's knows nothing of topics or consent.
            "subscription_tracking": {"enable": False},
        },
    }
    if not body["from"]["name"]:
        del body["from"]["name"]
    if sandbox:
        body["mail_settings"] = {"sandbox_mode": {"enable": True}}
    return body


def _plain_name(name: str) -> str:
    """A name without the characters that SendGrid reads as the end of an address."""
    return _UNSAFE_IN_NAME.sub(" ", name).strip()


def _unreached(error: URLError) -> NoReturn:
    cause = error.reason
    if isinstance(cause, SSLCertVerificationError):
        message = "the certificate of SendGrid's host cannot be trusted; check the host"
        raise SendingStoppedError(message, code="certificate") from None
    raise TryLaterError(f"SendGrid was not reached: {_why(cause)}", code="connect") from None


def _why(cause: object) -> str:
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return _bounded(text or type(cause).__name__)


def _refusal(error: HTTPError) -> SendError:
    status, errors = int(error.status_code), _errors(error.body)
    complaint = _bounded("; ".join(f"{field}: {message}" if field else message for field, message in errors))
    reason = f"SendGrid answered {status}" + (f": {complaint}" if complaint else "")
    if status >= 500:
        return UnknownFateError(reason, code=str(status))
    if status in {408, 429}:
        return TryLaterError(reason, _pause(error.headers), code=str(status))
    if status == 401 and "credits" in complaint.lower():
        quota = f"SendGrid's quota is used up ({complaint}); raise the plan, or wait for its renewal"
        return SendingStoppedError(quota, code="quota")
    if status in _SETTINGS_STATUS or status < 400:
        advice = "check the key, its permission to send mail, the sender and the host"
        return SendingStoppedError(f"{reason}; {advice}", code=str(status))
    if errors and all(field.split(".")[0] in {"from", "reply_to"} for field, _ in errors):
        return SendingStoppedError(f"{reason}; check the sender and the reply address", code="sender")
    return NotSentError(reason, code=str(status))


def _errors(body: object) -> list[tuple[str, str]]:
    """Field ("" for none) and message of each error that SendGrid names; none if the body is not SendGrid's."""
    try:
        errors = json.loads(body if isinstance(body, bytes | str) else b"")["errors"]
        return [(str(each.get("field") or ""), str(each.get("message") or "")) for each in errors]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def _bounded(text: str) -> str:
    """One line without mail addresses, short enough for a workflow's history."""
    line = " ".join(_ADDRESS.sub("(address)", text).split())
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"


def _pause(headers: Message) -> timedelta | None:
    """The time until `X-RateLimit-Reset`, a Unix time; at least a second, at most an hour."""
    try:
        reset = datetime.fromtimestamp(int(headers["X-RateLimit-Reset"]), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
    return min(max(reset - datetime.now(UTC), timedelta(seconds=1)), _LONGEST_PAUSE)
