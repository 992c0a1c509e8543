"""Close connections whose request does not arrive in time: thousands of them would hold all that a process can open."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from perennial.web.bodies import BODY_SECONDS

_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class TimedProtocol(H11Protocol):
    """uvicorn's protocol, with a time for a request's headers and one for its body, read by a route or not.

    A route that reads its body answers before that time is over; idle connections are uvicorn's own to close.
    """

    head_seconds = 10.0
    body_seconds = BODY_SECONDS + 10.0
    _timer: asyncio.TimerHandle | None = None
    _awaits_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Wait for the first headers."""
        super().connection_made(transport)
        self._wait(self.head_seconds, body=False)

    def data_received(self, data: bytes) -> None:
        """Take what came, and see what is still to come."""
        if self._timer is None:
            self._wait(self.head_seconds, body=False)
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            if not self._awaits_body:
                self._wait(self.body_seconds, body=True)
        elif state is not h11.IDLE or not self.conn.trailing_data[0]:
            self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        super().connection_lost(exc)

    def _wait(self, seconds: float, *, body: bool) -> None:
        self._rest()
        self._awaits_body = body
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._awaits_body = False

    def _give_up(self) -> None:
        self._timer = None
        if not self._awaits_body:
            self.transport.write(_TOO_SLOW)
        self.transport.close()
