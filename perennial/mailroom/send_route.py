"""POST /v3/mail/send, as SendGrid answers it, faults included."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_urlsafe
from typing import assert_never

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from perennial.mailroom.box import Mailbox
from perennial.mailroom.drop import drop
from perennial.mailroom.faults import Fault
from perennial.mailroom.mail_send import MailSend
from perennial.mailroom.validation import ErrorEntry, read_mail_send

LARGEST = 30 * 1024 * 1024
AT_HEADER = "X-Perennial-At"

_TOO_MANY = ErrorEntry("too many requests")
_WRONG_KEY = ErrorEntry("The provided authorization grant is invalid, expired, or revoked")
_NO_KEY = ErrorEntry("Permission denied, wrong credentials")
_FORBIDDEN = ErrorEntry("access forbidden")
_QUOTA = ErrorEntry("Maximum credits exceeded")
_BROKEN = ErrorEntry("internal server error")
_TOO_LARGE = ErrorEntry("content too large")
_WRONG_TYPE = ErrorEntry("Content-Type should be application/json.")


@dataclass
class RateLimit:
    """`a_minute` requests a minute, counted by windows, as SendGrid does."""

    a_minute: int
    _window: int = 0
    _taken: int = 0

    def take(self) -> tuple[bool, dict[str, str]]:
        """Count a request: whether it fits into this minute, and the headers that say how many still do."""
        window = int(time.time()) // 60
        if window != self._window:
            self._window, self._taken = window, 0
        self._taken += 1
        return self._taken <= self.a_minute, self._headers(max(self.a_minute - self._taken, 0), (window + 1) * 60)

    def exhausted(self, seconds: float) -> dict[str, str]:
        """The headers of a 429 that ends in a number of seconds."""
        return self._headers(0, int(time.time() + seconds))

    def _headers(self, remaining: int, reset: int) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.a_minute),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(reset),
        }


def send_routes(box: Mailbox, limit: RateLimit, api_key: str | None) -> APIRouter:
    """The route. It takes any bearer key unless one is given."""
    router = APIRouter()

    @router.post("/v3/mail/send")
    async def mail_send(request: Request) -> Response:  # noqa: PLR0911 - one return an answer
        denied = _denied(request, api_key)
        if denied:
            return refused(401, [denied])
        fits, headers = limit.take()
        if not fits:
            return refused(429, [_TOO_MANY], headers)
        fault = box.script.strike()
        if fault is not None:
            early = await _before(fault, request, limit)
            if early is not None:
                return early
        mail = await _read(request, box)
        if isinstance(mail, Response):
            return mail
        if mail.mail_settings.sandbox_mode.enable:
            return Response(status_code=200, headers={**headers, "X-Message-Id": token_urlsafe(16)})
        message_id = box.accept(mail, _at(request, box), fault.kind if fault else "202")
        if fault is not None:
            late = await _after(fault, request)
            if late is not None:
                return late
        return Response(status_code=202, headers={**headers, "X-Message-Id": message_id})

    return router


def refused(status: int, errors: Sequence[ErrorEntry], headers: dict[str, str] | None = None) -> JSONResponse:
    """SendGrid's body of an error."""
    return JSONResponse({"errors": [each.as_json() for each in errors]}, status, headers)


def _denied(request: Request, api_key: str | None) -> ErrorEntry | None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        return _NO_KEY
    return _WRONG_KEY if api_key is not None and given.strip() != api_key else None


async def _read(request: Request, box: Mailbox) -> MailSend | Response:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return refused(415, [_WRONG_TYPE])
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        # Read to the end anyway: a sender that is still writing would not see the answer.
        if size <= LARGEST:
            body += chunk
    if size > LARGEST:
        return refused(413, [_TOO_LARGE])
    mail = read_mail_send(bytes(body), _at(request, box))
    return mail if isinstance(mail, MailSend) else refused(400, mail)


def _at(request: Request, box: Mailbox) -> datetime:
    """The journeys' time of a request."""
    try:
        given = datetime.fromisoformat(request.headers[AT_HEADER])
    except (KeyError, ValueError):
        return box.now()
    return given.astimezone(UTC) if given.tzinfo else box.now()


async def _before(  # noqa: PLR0911 - one return an answer
    fault: Fault, request: Request, limit: RateLimit
) -> Response | None:
    """What a fault answers instead of taking the mail; None if it strikes later."""
    match fault.kind:
        case "rate_limited":
            return refused(429, [_TOO_MANY], limit.exhausted(fault.seconds))
        case "error_before":
            return refused(500, [_BROKEN])
        case "unauthorised":
            return refused(401, [_WRONG_KEY])
        case "forbidden":
            return refused(403, [_FORBIDDEN])
        case "quota":
            return refused(401, [_QUOTA])
        case "drop_before" | "refuse":
            await request.body()
            return await drop(request)
        case "error_after" | "drop_after" | "slow":
            return None
        case _:
            assert_never(fault.kind)


async def _after(fault: Fault, request: Request) -> Response | None:
    """What a fault answers after the mail was taken; None for the usual answer."""
    if fault.kind == "error_after":
        return refused(500, [_BROKEN])
    if fault.kind == "drop_after":
        return await drop(request)
    with suppress(TimeoutError):
        async with asyncio.timeout(fault.seconds):
            while not await request.is_disconnected():  # noqa: ASYNC110 - a sender that gave up needs no answer
                await asyncio.sleep(0.05)
    return None
