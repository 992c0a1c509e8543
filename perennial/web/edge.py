"""What the routes share: the installation as the web service needs it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from perennial.intake.outbox import Incoming, store
from perennial.platform.installation import Installation
from perennial.platform.write_probe import WriteProbe
from perennial.web.limits import Limits
from perennial.web.metrics import Metrics


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
    writing: WriteProbe = field(default_factory=WriteProbe)

    async def store(
        self, source: str, events: Sequence[Incoming], before: Callable[[AsyncSession], Awaitable[None]] | None = None
    ) -> int:
        """Store events as `perennial.intake.outbox.store` does, and count them; how many were new."""
        new = await store(self.database, events, before)
        self.metrics.events.labels(source, "new").inc(new)
        self.metrics.events.labels(source, "known").inc(len(events) - new)
        return new


def edge_of(request: Request) -> Edge:
    """The edge of the application that serves this request; a dependency for routes."""
    edge = request.app.state.edge
    assert isinstance(edge, Edge)
    return edge
