"""Where on the send path a worker is killed, and what kills it there.

Production code knows nothing of it: the points are seen from outside, at the database engine, at the provider, at the
HTTP connection, and around the activity.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from itertools import count
from typing import Any

from aiosmtplib.protocol import SMTPProtocol
from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import client as temporal
from temporalio import worker
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from perennial.channels.ports import Envelope, Fate, Provider
from perennial.platform.prepared import Prepared

MAIL_END = b"\r\n.\r\n"
"""What ends a mail in an SMTP dialogue."""

POINTS = {
    "judging": "the judgement is written and not committed",
    "judged": "the touch is committed as sending, the provider is not asked",
    "posting": "the request is with the provider, which may or may not take it",
    "taken": "the provider has taken the mail and answered, nobody has read the answer",
    "answered": "the answer is read, nothing is written",
    "recording": "accepted is written and not committed",
    "recorded": "accepted is committed, Temporal has not been told",
}
"""The points, in the order in which a send passes them."""

_BEGINS = "a touch begins in this transaction"

_ANSWERED = ContextVar("answered", default=False)
"""Whether this send was answered. Its next commit records that, even if a webhook was quicker to settle the touch."""


class Fuse:
    """Kills this process, as kill -9 does, on the given pass of a point; of no point, never."""

    def __init__(self, point: str = "", on_pass: int = 1) -> None:
        self._point = point
        self._last = on_pass
        self._passes = count(1)

    def passing(self, point: str) -> None:
        """Note that a point is passed; nothing comes after if it was the pass to die on."""
        if point == self._point and next(self._passes) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def lay(self) -> None:
        """Lay the fuse at the database and the HTTP connections of this process."""
        fuse, read_answer = self, HTTPConnection.getresponse

        run = Prepared.run

        async def ran(prepared: Prepared, connection: AsyncConnection, values: Mapping[str, Any]) -> None:
            assert connection.sync_connection is not None
            if prepared.statement.table.name == "touches" and "sending" in _flat(dict(values)):  # type: ignore[union-attr]
                connection.sync_connection.info[_BEGINS] = True
            await run(prepared, connection, values)

        Prepared.run = ran  # type: ignore[method-assign]

        @event.listens_for(Engine, "commit")
        def committing(connection: Connection) -> None:
            if connection.info.pop(_BEGINS, False):
                fuse.passing("judging")
            if _ANSWERED.get():
                _ANSWERED.set(False)
                fuse.passing("recording")

        @event.listens_for(Engine, "rollback")
        def rolled_back(connection: Connection) -> None:
            connection.info.pop(_BEGINS, None)

        def getresponse(connection: HTTPConnection) -> HTTPResponse:
            fuse.passing("posting")
            answer = read_answer(connection)
            if answer.status == 202:
                fuse.passing("taken")
            return answer

        HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]
        self._lay_at_smtp()

    def _lay_at_smtp(self) -> None:
        fuse = self
        write, read_response = SMTPProtocol.write, SMTPProtocol.read_response
        asked: set[SMTPProtocol] = set()

        def written(connection: SMTPProtocol, data: bytes) -> None:
            if data.endswith(MAIL_END):
                fuse.passing("posting")
                asked.add(connection)
            write(connection, data)

        async def answered(connection: SMTPProtocol, *args: Any, **named: Any) -> Any:
            answer = await read_response(connection, *args, **named)
            if connection in asked:
                asked.remove(connection)
                fuse.passing("taken")
            return answer

        SMTPProtocol.write = written  # type: ignore[method-assign]
        SMTPProtocol.read_response = answered  # type: ignore[method-assign]


def _sent(result: Any) -> bool:
    """Whether an activity's answer tells of a mail: `send`'s, or that of a wake that has sent."""
    acted = getattr(result, "acted", None)
    return getattr(acted.outcome if acted is not None else result, "result", "") == "sent"


def _flat(parameters: Any) -> Iterable[str]:
    match parameters:
        case str():
            yield parameters
        case dict():
            yield from _flat(list(parameters.values()))
        case list() | tuple():
            for each in parameters:
                yield from _flat(each)


@dataclass(frozen=True)
class Fused:
    """A provider with the fuse on both sides of it."""

    provider: Provider
    fuse: Fuse

    async def send(self, envelope: Envelope) -> str:
        """Send."""
        self.fuse.passing("judged")
        message_id = await self.provider.send(envelope)
        self.fuse.passing("answered")
        _ANSWERED.set(True)
        return message_id

    async def fate(self, touch_id: str) -> Fate:
        """What the provider knows."""
        return await self.provider.fate(touch_id)


class Reports(temporal.Interceptor, worker.Interceptor):
    """Passes the last point: a send is done, and Temporal has not been told."""

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Stand around the activities."""
        fuse = self._fuse

        class Around(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
                result = await self.next.execute_activity(input)
                if _sent(result):
                    fuse.passing("recorded")
                return result

        return Around(next)
