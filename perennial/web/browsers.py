"""What scripts on other sites may call: Segment's API, whose client libraries run in the pages of a website."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN = "/v1/"
REMEMBERED_SECONDS = 86_400


class ForBrowsers:
    """ASGI middleware: CORS for any origin on the paths under `OPEN`, for no other path.

    Without it a library in a browser takes each answer for a failure, and sends the same again. No cookie counts here,
    and a key is always written by the page itself, so that it may be any page: a page gains nothing that it could not
    post by itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
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
        is_open = scope["type"] == "http" and str(scope["path"]).startswith(OPEN)
        await (self._cors if is_open else self._app)(scope, receive, send)
