"""Render the pages that leads see: no scripts, one stylesheet, nothing from other sites."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from perennial.channels.envelope import From
from perennial.platform.database_errors import is_outage
from perennial.web.bodies import BODY_SECONDS

HERE = Path(__file__).resolve().parent
MOST_BYTES = 64 * 1024
TRY_AGAIN_SECONDS = 30
_HEADERS = {
    "Cache-Control": "no-store",
    # The page's address is what opens it: no other site may see it.
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
}

log = structlog.get_logger(__name__)


class PageError(Exception):
    """A request that is answered with an error page: `title` and `words` for a person."""

    def __init__(self, status: int, title: str, words: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.words = words


@dataclass(frozen=True, slots=True)
class Notice:
    """A line above a page: what has just been done, or was refused."""

    words: str
    bad: bool = False


class Pages:
    """Renders the templates in the name of this sender."""

    def __init__(self, sender: From) -> None:
        self.sender = sender

    def page(self, template: str, title: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page, as a response."""
        html = environment().get_template(template).render(values, title=title, sender=self.sender)
        return HTMLResponse(html, status, headers=_HEADERS)

    def text(self, template: str, **values: Any) -> str:
        """A rendered template, as text."""
        return environment().get_template(template).render(values, sender=self.sender)

    def route(self) -> type[APIRoute]:
        """The class of routes that answer a PageError, and a database that is away, with a page."""
        pages = self

        class PageRoute(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
                handler = super().get_route_handler()

                async def answer(request: Request) -> Response:
                    try:
                        return await handler(request)
                    except PageError as error:
                        return pages.page("said.html", error.title, error.status, words=error.words)
                    except Exception as error:
                        if not is_outage(error):
                            raise
                        log.warning("a page was not served: the database does not answer", kind=type(error).__name__)
                        words = "We cannot do this just now, and nothing was changed. Please try again in a minute."
                        page = pages.page("said.html", "One moment, please", 503, words=words)
                        page.headers["Retry-After"] = str(TRY_AGAIN_SECONDS)
                        return page

                return answer

        return PageRoute


def add_stylesheet(router: APIRouter) -> None:
    """Serve the pages' stylesheet."""
    css = (HERE / "static" / "pages.css").read_bytes()

    @router.get("/pages.css", include_in_schema=False)
    async def stylesheet() -> Response:
        return Response(css, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


async def form_of(request: Request, seconds: float = BODY_SECONDS) -> FormData:
    """Read a form's fields, urlencoded or multipart (RFC 8058 allows both); none from any other body.

    Raises PageError: 413 past 64 KB, 408 if it takes too long, 400 for a broken form.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise PageError(413, "That was too much", "This page takes a few words at most.")
    except TimeoutError:
        raise PageError(408, "That took too long", "Please go back and try again.") from None

    async def again() -> Any:
        yield bytes(body)
        yield b""

    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        match kind:
            case "multipart/form-data":
                return await MultiPartParser(request.headers, again(), max_files=0, max_fields=100).parse()
            case "application/x-www-form-urlencoded" | "":
                return await FormParser(request.headers, again()).parse()
            case _:
                return FormData()
    except (MultiPartException, KeyError, UnicodeDecodeError):
        raise PageError(400, "That did not arrive whole", "Please go back and try again.") from None


@cache
def environment() -> Environment:
    """The templates; values are escaped in HTML, not in plain text."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=lambda name: not (name or "").endswith(".txt"),  # noqa: S701 - off for plain text only
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
