"""Let scripts on other sites call some paths: client libraries run in the pages of a website."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

REMEMBERED_SECONDS = 86_400


class OpenToBrowsers:
    """ASGI middleware: CORS for any origin, on the paths under `prefix` alone.

    Without it a library in a browser reads each answer as a failure, and sends the same again. Any page may call: no
    cookie counts here, and the page writes the key itself, so it gains nothing that it could not post anyway.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._cors = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["POST"],
            allow_headers=["*"],
            expose_headers=["Retry-After"],
            max_age=REMEMBERED_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        is_open = scope["type"] == "http" and str(scope["path"]).startswith(self._prefix)
        await (self._cors if is_open else self._app)(scope, receive, send)
