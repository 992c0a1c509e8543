"""A request that never comes to its end holds no connection, on any route."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from perennial.app.run_web import Server, listening
from perennial.web.bodies import read_body
from perennial.web.errors import RequestError
from perennial.web.pages import PageError, form_of
from perennial.web.slow_requests import TimedProtocol

PATIENCE = 20.0
IMPATIENT = 0.2
FORM = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/x-www-form-urlencoded")]}
WHOLE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Impatient(TimedProtocol):
    """Waits for as long as a test likes to wait."""

    head_seconds = IMPATIENT
    body_seconds = IMPATIENT


class SlowHead(TimedProtocol):
    """Impatient with bodies only."""

    head_seconds = PATIENCE
    body_seconds = IMPATIENT


@asynccontextmanager
async def connection(protocol: type[TimedProtocol]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server of one page, which reads no body."""

    async def page(_: Request) -> Response:
        return PlainTextResponse("here")

    app = Starlette(routes=[Route("/", page, methods=["GET", "POST"])])
    server = Server(uvicorn.Config(app, http=protocol, log_config=None, lifespan="off"))
    with listening("127.0.0.1", 0) as sock:
        running = asyncio.create_task(server.serve(sockets=[sock]))
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            server.stop()
            await running


@pytest.mark.parametrize(
    "begin",
    [b"", b"GET / HTTP/1.1\r\nhost: x\r\n"],
    ids=["nothing", "half a head"],
)
async def test_headers_that_do_not_end_are_given_up(begin: bytes) -> None:
    """A connection may be opened and say nothing, or half of what it wants."""
    async with connection(Impatient) as (reader, writer), asyncio.timeout(PATIENCE):
        writer.write(begin)
        assert (await reader.read()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_a_second_request_that_does_not_end_is_given_up() -> None:
    """The first was answered; the connection is kept for the next."""
    async with connection(Impatient) as (reader, writer), asyncio.timeout(PATIENCE):
        writer.write(WHOLE)
        await reader.readuntil(b"here")
        writer.write(b"GET / HTTP/1.1\r\nx-slow")
        assert (await reader.read()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_a_body_that_nobody_reads_is_given_up() -> None:
    """A route may answer before its request has come whole; the rest must come in time too."""
    async with connection(SlowHead) as (reader, writer), asyncio.timeout(PATIENCE):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nx")
        assert b"here" in await reader.read()


async def test_requests_that_come_whole_are_all_answered() -> None:
    """One after the other and at once, each with its own time."""
    async with connection(TimedProtocol) as (reader, writer), asyncio.timeout(PATIENCE):
        for together in (1, 2):
            writer.write(WHOLE * together)
            for _ in range(together):
                assert b"200 OK" in await reader.readuntil(b"here")


def endless() -> Iterator[Message]:
    """A body that begins."""
    yield {"type": "http.request", "body": b"action=", "more_body": True}


async def test_a_form_that_does_not_end_is_answered() -> None:
    """With a page that says so."""
    with pytest.raises(PageError) as refused:
        await form_of(request_of(endless()), seconds=0.01)
    assert refused.value.status == 408


async def test_a_body_that_does_not_end_is_answered() -> None:
    """With a status that libraries try again after."""
    with pytest.raises(RequestError) as refused:
        await read_body(request_of(endless()), 100, seconds=0.01)
    assert refused.value.status == 408


def request_of(messages: Iterator[Message]) -> Request:
    """A form whose body comes like this, and then no further."""

    async def receive() -> Message:
        for message in messages:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    return Request(FORM, receive)
