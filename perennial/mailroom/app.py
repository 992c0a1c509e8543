"""The mailbox as one web application."""

from dataclasses import dataclass

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from perennial.mailroom.api import ClosePort, api_routes
from perennial.mailroom.box import Mailbox
from perennial.mailroom.pages import page_routes
from perennial.mailroom.same_site import SameSite
from perennial.mailroom.send_route import RateLimit, refused, send_routes
from perennial.mailroom.validation import ErrorEntry

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use the mailbox: any bearer key unless one is given, `a_minute` mails, under these host names."""

    api_key: str | None = None
    a_minute: int = 1_000_000
    hosts: tuple[str, ...] = LOOPBACK


def mailbox_app(box: Mailbox, access: Access, refuse: ClosePort) -> FastAPI:
    """SendGrid's API, the inbox pages and the JSON API over one mailbox."""
    app = FastAPI(title="Perennial mailbox", docs_url=None, redoc_url=None)
    app.include_router(send_routes(box, RateLimit(access.a_minute), access.api_key))
    app.include_router(api_routes(box, refuse))
    app.include_router(page_routes(box))
    # Else a page of another site that resolves its own name to this machine could read the mail.
    app.add_middleware(SameSite)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(access.hosts))

    @app.exception_handler(StarletteHTTPException)
    async def as_sendgrid(request: Request, error: HTTPException) -> Response:
        if request.url.path.startswith("/v3/"):
            message = "POST method allowed only" if error.status_code == 405 else str(error.detail).lower()
            return refused(error.status_code, [ErrorEntry(message)])
        return JSONResponse({"error": str(error.detail)}, error.status_code)

    return app
