"""What the routes share, and the one way in which events are stored."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import asyncpg
from fastapi import Request
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncSession

from perennial.intake.outbox import Incoming, accept
from perennial.platform.installation import Installation
from perennial.web.limits import Limits
from perennial.web.metrics import Metrics

STORE_SECONDS = 15.0
"""Past this a caller is told 503. The transaction may commit all the same: what is sent again is known by then."""

_ATTEMPTS = 3


class Temporal(Protocol):
    """Says whether the Temporal server answers."""

    async def answers(self) -> bool:
        """Never raises."""
        ...


@dataclass(frozen=True)
class Edge(Installation):
    """The installation as the web service needs it; `edge_of(request)` gives it to a route."""

    temporal: Temporal
    limits: Limits
    metrics: Metrics = field(default_factory=Metrics)

    async def store(
        self, source: str, events: Sequence[Incoming], also: "Callable[[AsyncSession], Awaitable[None]] | None" = None
    ) -> int:
        """Commit the events, after what `also` writes, in one transaction; how many of them were new.

        Two transactions that store the same events can wait for each other: PostgreSQL ends one of them, and it is
        done again. Raises what the database raises, and TimeoutError.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with asyncio.timeout(STORE_SECONDS), self.database.writing() as session:
                    if also is not None:
                        await also(session)
                    new = await accept(session, events)
            except exc.DBAPIError as error:
                if attempt == _ATTEMPTS or not _is_deadlock(error):
                    raise
            else:
                break
        self.metrics.events.labels(source, "new").inc(new)
        self.metrics.events.labels(source, "known").inc(len(events) - new)
        return new


def edge_of(request: Request) -> Edge:
    """The edge of the application that serves this request; a dependency for routes."""
    edge = request.app.state.edge
    assert isinstance(edge, Edge)
    return edge


def _is_deadlock(error: exc.DBAPIError) -> bool:
    cause = error.orig.__cause__ if error.orig is not None else None
    return isinstance(cause, asyncpg.DeadlockDetectedError | asyncpg.SerializationError)
