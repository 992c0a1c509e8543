"""Answers to requests that are not taken: a status, a code for programs, a sentence for people.

Segment's client libraries read this shape. No answer repeats what was sent: it may be personal.
"""

import traceback
from collections.abc import Mapping
from http import HTTPStatus

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from nurture.errors import InputError, NotFoundError, RefusedError
from perennial.platform.database_errors import explain_database_error

TRY_AGAIN_SECONDS = 5
_GONE = 499  # the caller hung up: only the metrics see this answer
OUTAGES: tuple[type[Exception], ...] = (
    SQLAlchemyError,
    asyncpg.PostgresError,  # raised unwrapped while a connection is made
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)

log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """The body of every answer that is no success."""

    model_config = ConfigDict(json_schema_extra={"example": {"code": "json", "message": "the body is not JSON"}})

    code: str = Field(description="what went wrong, for programs")
    message: str = Field(description="what went wrong and what to do, for people")


class RequestError(InputError):
    """A request that is not taken, and the status that says so; nothing of it was stored."""

    def __init__(
        self, status: int, code: str, message: str, *, retry_after: int | None = None, challenge: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = {
            **({} if retry_after is None else {"Retry-After": str(retry_after)}),
            **({} if challenge is None else {"WWW-Authenticate": challenge}),
        }


def answers(*statuses: int) -> dict[int | str, dict[str, object]]:
    """A route's `responses`: a `Problem` for each of these statuses, and for 503, which any route may answer."""
    return {status: {"model": Problem, "description": _MEANINGS[status]} for status in sorted({*statuses, 503})}


def install(app: FastAPI) -> None:
    """Answer every error of the application with a `Problem`."""
    app.add_exception_handler(RequestError, _request_error)
    app.add_exception_handler(InputError, _input_error)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(ClientDisconnect, _gone)
    for outage in OUTAGES:
        app.add_exception_handler(outage, _outage)
    app.add_exception_handler(Exception, _bug)


_MEANINGS = {
    400: "Malformed: mend the request; the same one fails again.",
    401: "No key or signature, or an unknown key.",
    403: "The key lacks the scope, or the signature is wrong or too old.",
    404: "No such lead.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    429: "Too many requests with this key: try again after Retry-After seconds.",
    503: "The database is away, or a secret is not set up: try again after Retry-After seconds. Nothing was stored.",
}


def _answer(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status, headers=dict(headers or {}))


async def _request_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestError)
    return _answer(error.status, error.code, str(error), error.headers)


async def _input_error(_: Request, error: Exception) -> JSONResponse:
    status = 404 if isinstance(error, NotFoundError) else 400
    return _answer(status, "not_found" if status == 404 else "input", str(error))


async def _refused(_: Request, error: Exception) -> JSONResponse:
    return _answer(409, "refused", str(error))


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    return _answer(error.status_code, phrase.lower().replace(" ", "_"), phrase, error.headers)


async def _validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return _answer(400, "input", "; ".join(explain(one["loc"], one["msg"]) for one in error.errors()[:5]))


def explain(place: tuple[int | str, ...], message: str) -> str:
    """Where in a body something is wrong, and what; never the value."""
    return f"{'.'.join(map(str, place)) or 'the body'}: {message[:1].lower()}{message[1:]}"


async def _gone(_: Request, __: Exception) -> JSONResponse:
    return _answer(_GONE, "client_gone", "the connection closed before the body was complete")


async def _outage(_: Request, error: Exception) -> JSONResponse:
    log.warning("request not taken: the database does not answer", why=str(explain_database_error(error)))
    return _answer(
        503,
        "unavailable",
        "the database does not answer; nothing was stored, send the same again",
        {"Retry-After": str(TRY_AGAIN_SECONDS)},
    )


async def _bug(_: Request, error: Exception) -> JSONResponse:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].name}, line {frames[-1].lineno}" if frames else "?"
    log.error("a bug in the web service", kind=type(error).__name__, place=place)
    return _answer(500, "internal", "a bug in Perennial; what you sent may not be stored")
