"""The mailbox as one web application."""

from dataclasses import dataclass

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from perennial.mailroom.api import Refuser, api_routes
from perennial.mailroom.box import Mailbox
from perennial.mailroom.pages import page_routes
from perennial.mailroom.send_route import RateLimit, refused, send_routes
from perennial.mailroom.validation import Complaint

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Door:
    """Whom the mailbox lets in: any bearer key unless one is given, so many mails a minute, for these host names."""

    api_key: str | None = None
    a_minute: int = 1_000_000
    hosts: tuple[str, ...] = LOOPBACK


def mailbox_app(box: Mailbox, door: Door, refuse: Refuser) -> FastAPI:
    """SendGrid's API, the inbox pages and the JSON API over one mailbox."""
    app = FastAPI(title="Perennial mailbox", docs_url=None, redoc_url=None)
    app.include_router(send_routes(box, RateLimit(door.a_minute), door.api_key))
    app.include_router(api_routes(box, refuse))
    app.include_router(page_routes(box))
    # A page elsewhere that resolves its own name to this machine would otherwise read the mail.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(door.hosts))

    @app.exception_handler(StarletteHTTPException)
    async def as_sendgrid(request: Request, error: HTTPException) -> Response:
        if request.url.path.startswith("/v3/"):
            said = "POST method allowed only" if error.status_code == 405 else str(error.detail).lower()
            return refused(error.status_code, [Complaint(said)])
        return JSONResponse({"error": str(error.detail)}, error.status_code)

    return app
