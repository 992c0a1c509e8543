"""End a connection without an answer, as a failing network does."""

from fastapi import Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_KEY = "mailbox.transport"


class KeepTransport:
    """The outermost ASGI layer: keeps the connection's transport, so that a request can end it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the transport in its scope."""
        if scope["type"] == "http":
            # ASGI has no way to this; uvicorn's `send` is a method of the object that has the transport.
            scope[_KEY] = getattr(getattr(send, "__self__", None), "transport", None)
        await self._app(scope, receive, send)


async def drop(request: Request) -> Response:
    """End the connection; the response returned reaches nobody."""
    transport = request.scope.get(_KEY)
    if transport is None:
        raise RuntimeError("this server gives no way to drop a connection; run the mailbox under uvicorn")
    transport.abort()
    return Response(status_code=500)
