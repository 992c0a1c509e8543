"""Ending a connection without an answer, as a failing network does."""

from fastapi import Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_KEY = "mailbox.transport"


class Droppable:
    """The outermost layer: lets a request end its own connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep the connection's transport beside the request."""
        if scope["type"] == "http":
            # ASGI has no word for this: uvicorn's `send` is a method of the object that holds the transport.
            scope[_KEY] = getattr(getattr(send, "__self__", None), "transport", None)
        await self._app(scope, receive, send)


async def drop(request: Request) -> Response:
    """End the connection; what is then returned reaches nobody."""
    transport = request.scope.get(_KEY)
    if transport is None:
        raise RuntimeError("this server gives no way to drop a connection; run the mailbox under uvicorn")
    transport.abort()
    return Response(status_code=500)
