"""Liveness, readiness and metrics."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Annotated, Literal

import structlog
from alembic.script import ScriptDirectory
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field
from sqlalchemy import text
from temporalio.client import Client
from temporalio.service import RPCError

from nurture.errors import SettingsError
from perennial.intake.failed import count_failed
from perennial.intake.outbox import backlog
from perennial.journeys.held import held_by_track
from perennial.journeys.stuck import stuck_by_track
from perennial.platform.database_errors import LOCKED, MIGRATE, explain_database_error
from perennial.platform.paths import MIGRATIONS
from perennial.platform.temporal import connect
from perennial.web.edge import Edge, edge_of
from perennial.web.errors import TRY_AGAIN_SECONDS, Problem, RequestError, answers
from perennial.web.keys import RequireScope

PATIENCE = timedelta(seconds=2)

router = APIRouter(tags=["health"])
log = structlog.get_logger(__name__)


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The service can take events."""

    database: Literal["ok"] = "ok"
    temporal: Literal["ok", "absorbing"] = Field(
        description="absorbing: Temporal is away, and the outbox keeps what comes in until it is back"
    )
    outbox: int = Field(description="events that the relay has yet to pass on")
    outbox_age_seconds: float = Field(description="how long the oldest of them has waited")
    failed: int = Field(
        description="events put aside because they could not be passed on; the command `retell` lists them"
    )


@dataclass(slots=True)
class TemporalProbe:
    """Asks the Temporal server whether it is healthy, over one connection, made when it first answers."""

    address: str | None = None
    _client: Client | None = field(default=None, repr=False)

    async def answers(self) -> bool:
        """Whether it answers within two seconds."""
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                if self._client is None:
                    self._client = await connect(self.address)
                return await self._client.service_client.check_health(retry=False, timeout=PATIENCE)
        except (SettingsError, RPCError, TimeoutError):
            return False


@cache
def head_revision() -> str | None:
    """The database revision that this code needs."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


@router.get("/healthz", summary="Is the process alive")
async def healthz() -> Liveness:
    """Always ok: it asks no other service, so an outage elsewhere restarts no web process."""
    return Liveness()


@router.get(
    "/readyz", summary="Can the service take events", responses={503: {"model": Problem, "description": "It cannot."}}
)
async def readyz(edge: Annotated[Edge, Depends(edge_of)]) -> Readiness:
    """Ready means that the database is migrated, and can be read and written: its disk is not full, nobody locks it.

    Temporal may be away: the outbox keeps what comes in.
    """
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            async with edge.database.reading() as session:
                revision = await session.scalar(text("SELECT version_num FROM alembic_version"))
                behind, failed = await backlog(session), await count_failed(session)
            await edge.writing.check(edge.database)
    except Exception as error:  # noqa: BLE001 - whatever fails, the database cannot take events
        why = LOCKED if edge.database.is_sqlite and isinstance(error, TimeoutError) else explain_database_error(error)
        log.warning("not ready", why=str(why))
        raise RequestError(503, "database", str(why), retry_after=TRY_AGAIN_SECONDS) from None
    if revision != head_revision():
        raise RequestError(
            503, "migrations", f"the database is not at this version: {MIGRATE}", retry_after=TRY_AGAIN_SECONDS
        )
    temporal = await edge.temporal.answers()
    return Readiness(
        temporal="ok" if temporal else "absorbing",
        outbox=behind.waiting,
        outbox_age_seconds=behind.age(edge.now()).total_seconds(),
        failed=failed,
    )


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    dependencies=[Depends(RequireScope("support"))],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **answers(401, 403, 429)},
)
async def metrics(edge: Annotated[Edge, Depends(edge_of)]) -> Response:
    """Requests, events by source and fate, outbox, failed events, held and stuck journeys, in Prometheus' format."""
    counted = edge.metrics
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()), edge.database.reading() as session:
            behind, failed = await backlog(session), await count_failed(session)
            held, stuck = await held_by_track(session), await stuck_by_track(session)
    except Exception as error:  # noqa: BLE001 - the other figures matter most when these are missing
        log.warning("the database cannot be counted", why=str(explain_database_error(error)))
        counted.database.set(0)
    else:
        counted.database.set(1)
        counted.outbox.set(behind.waiting)
        counted.failed.set(failed)
        counted.outbox_age.set(behind.age(edge.now()).total_seconds())
        for gauge, by_track in ((counted.held, held), (counted.stuck, stuck)):
            gauge.clear()
            for track, journeys in by_track.items():
                gauge.labels(track).set(journeys)
    counted.temporal.set(await edge.temporal.answers())
    return Response(counted.text(), media_type="text/plain; version=0.0.4")
