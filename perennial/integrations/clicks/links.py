"""The pages behind our own tracked links and open pixels, for providers that track nothing themselves.

`perennial.channels.tracking` puts them into a mail. A click or an open is stored as an event before the answer. A HEAD,
a prefetch or a broken token counts nothing: no person reads by them. Whoever clicks gets to the page even when the
database is away; the click is then lost, and the log says so.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from models.touches import Touch
from nurture.errors import InputError
from perennial.channels.envelope import From
from perennial.intake.bots import HIDDEN_LINK
from perennial.intake.outbox import Incoming, store
from perennial.platform.database import Database
from perennial.platform.database_errors import is_outage
from perennial.platform.tokens import Tokens
from perennial.web.pages import PageError, Pages

SOURCE = "click"
AHEAD_OF_A_PERSON = ("sec-purpose", "purpose", "x-purpose", "x-moz")
"""Headers by which browsers say that nobody has asked for the page yet (prefetch, prerender, preview)."""
PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_LONGEST_AGENT = 255
_LONGEST_TOUCH = 32
_NEVER_KEPT = {"Cache-Control": "no-store, private", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class TrackedLinks:
    """The redirect and the pixel, over this database."""

    database: Database
    tokens: Tokens
    sender: From
    now: Callable[[], datetime]

    def router(self) -> APIRouter:
        """The routes: `/c/{token}`, `/o/{token}.gif`, and `/h/{touch}`, which only machines find."""
        router = APIRouter(tags=["pages"], route_class=Pages(self.sender).route())

        @router.api_route("/c/{token}", methods=["GET", "HEAD"], include_in_schema=False)
        async def click(token: str, request: Request) -> Response:
            touch_id, url = self._link(token)
            await self._count(request, "click", touch_id, url)
            return RedirectResponse(url, 302, headers=_NEVER_KEPT)

        @router.api_route("/o/{token}.gif", methods=["GET", "HEAD"], include_in_schema=False)
        async def opened(token: str, request: Request) -> Response:
            try:
                (touch_id,) = self.tokens.read("open", token)
            except (InputError, ValueError):
                return Response(status_code=404, headers=_NEVER_KEPT)
            await self._count(request, "open", touch_id, "")
            return Response(PIXEL, media_type="image/gif", headers=_NEVER_KEPT)

        @router.api_route("/h/{touch_id}", methods=["GET", "HEAD"], include_in_schema=False)
        async def hidden(touch_id: str, request: Request) -> Response:
            if await self._is_touch(touch_id):
                await self._count(request, "click", touch_id, HIDDEN_LINK)
            return Response(status_code=204, headers=_NEVER_KEPT)

        return router

    def _link(self, token: str) -> tuple[str, str]:
        try:
            touch_id, url = self.tokens.read("click", token)
        except (InputError, ValueError):
            url = ""
        if not url.startswith(("https://", "http://")):
            raise PageError(
                404, "This link does not work", "It may have been cut off: please copy it whole from the mail."
            )
        return touch_id, url

    async def _is_touch(self, touch_id: str) -> bool:
        """Whether a touch has this name; anybody may ask for any, and an unknown one writes nothing."""
        if not (touch_id.isascii() and touch_id.isalnum() and len(touch_id) <= _LONGEST_TOUCH):
            return False
        try:
            async with self.database.reading() as session:
                return await session.scalar(select(Touch.id).where(Touch.id == touch_id)) is not None
        except Exception as error:
            if not is_outage(error):
                raise
            return False

    async def _count(self, request: Request, kind: Literal["click", "open"], touch_id: str, url: str) -> None:
        """Store the event, once a second for each link and agent: a browser may make several requests for one click."""
        if request.method == "HEAD" or is_ahead(request.headers):
            return
        at, agent = self.now(), request.headers.get("user-agent", "")[:_LONGEST_AGENT]
        body: dict[str, Any] = {
            "event": kind,
            "touch_id": touch_id,
            "url": url,
            "useragent": agent,
            "at": at.isoformat(),
        }
        second = at.replace(microsecond=0).isoformat()
        event = Incoming(SOURCE, None, (kind, touch_id, url, second, agent), body, at)
        try:
            await store(self.database, [event])
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("a click is lost: the database does not answer", kind=type(error).__name__)


def is_ahead(headers: Mapping[str, str]) -> bool:
    """Whether a request says that it is made ahead of a person."""
    said = " ".join(headers.get(name, "") for name in AHEAD_OF_A_PERSON).lower()
    return any(word in said for word in ("prefetch", "prerender", "preview", "instant"))
