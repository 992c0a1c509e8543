"""Let no page of another site press the mailbox's buttons: a browser says where a request comes from."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

READS = ("GET", "HEAD", "OPTIONS")


class SameSite:
    """ASGI middleware: 403 for a request of another site's page that would change something.

    Programs are no browsers and send neither header. A link in a mail is followed from a frame without an origin of its
    own, so a GET that counts a click is asked only to be a page that a person opens, not a picture or a script.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and _is_elsewheres(scope["method"], scope["path"], Headers(scope=scope)):
            refused = JSONResponse({"error": "only this site may press these buttons"}, 403)
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_elsewheres(method: str, path: str, headers: Headers) -> bool:
    if method in READS:
        return path.startswith("/click/") and headers.get("sec-fetch-dest", "document") != "document"
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")
