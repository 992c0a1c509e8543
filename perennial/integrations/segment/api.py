"""Segment's HTTP Tracking API: its client libraries, and RudderStack's, work with our address and an API key.

https://www.twilio.com/docs/segment/connections/sources/catalog/libraries/server/http-api

In a browser, analytics.js (`apiHost: "our.host/v1"`) posts `text/plain` to paths of one letter, with no header, and its
key as `writeKey` in the body. It runs in pages of other sites, so `perennial.app.web` opens `PREFIX` to any site.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, BackgroundTasks, Depends, Request
from pydantic import BaseModel, Field

from perennial.access.keys import BROWSER
from perennial.intake.fields import text_of
from perennial.intake.outbox import Incoming
from perennial.integrations.segment.calls import KINDS, SOURCE, fault_of, in_batch, incoming
from perennial.integrations.segment.meanings import claim_of, not_kept_of
from perennial.integrations.segment.openapi import BATCH, body_of, schema_of
from perennial.web.bodies import inflate, parse_json, read_body, require_json
from perennial.web.edge import Edge, edge_of
from perennial.web.errors import RequestError, answers
from perennial.web.keys import BASIC, BEARER, Caller, RequireScope
from perennial.web.signups import Signups

log = structlog.get_logger(__name__)

MOST_EVENT_BYTES = 32 * 1024
MOST_BATCH_BYTES = 500 * 1024
PREFIX = "/v1"


class WriteKey(RequireScope):
    """A dependency: the caller whose key may ingest, in the header or, as analytics.js sends it, in the body."""

    async def __call__(
        self,
        request: Request,
        edge: Annotated[Edge, Depends(edge_of)],
        _basic: Annotated[Any, Depends(BASIC)] = None,
        _bearer: Annotated[Any, Depends(BEARER)] = None,
    ) -> Caller:
        """The caller of this request; raises RequestError."""
        if request.headers.get("authorization"):
            caller = await super().__call__(request, edge)
            request.state.public = _is_public(request, edge, caller)
            return caller
        try:
            _, body = await _object(request)
        except RequestError as error:
            if error.status != 400:
                raise
            body = {}  # a missing key is reported before a malformed body
        caller = await self.admit(request, edge, text_of(body.get("writeKey")))
        request.state.public = edge.settings.double_opt_in == "browser"  # only browsers send it in the body
        return caller


router = APIRouter(prefix=PREFIX, tags=["segment"], dependencies=[Depends(WriteKey("ingest", BROWSER))])


class RefusedEvent(BaseModel):
    """An event of a batch that is not usable."""

    index: int = Field(description="its place in the batch, from 0")
    message: str = Field(description="what is wrong with it")


class NotKept(BaseModel):
    """What an event that is stored says in vain."""

    index: int = Field(description="its place in the batch, from 0")
    fields: list[str] = Field(description="fields whose value cannot be kept: no word, no country, no time zone, ...")


class Success(BaseModel):
    """The answer that Segment's libraries expect."""

    success: bool = True
    refused: list[RefusedEvent] | None = Field(
        default=None, description="the batch's events that are not usable, if any"
    )
    not_kept: list[NotKept] | None = Field(default=None, description="what cannot be kept of the others, if anything")


@router.post("/b", include_in_schema=False)
@router.post(
    "/batch",
    summary="Take many events",
    response_model_exclude_none=True,
    responses=answers(400, 401, 403, 408, 413, 429),
    openapi_extra=body_of(BATCH),
)
async def batch(request: Request, edge: Annotated[Edge, Depends(edge_of)], tasks: BackgroundTasks) -> Success:
    """Store up to 500 KB of events, each of 32 KB at most, in one transaction.

    The answer lists the events that are not usable, and why. If none is usable, it is 400.
    """
    raw, body = await _object(request)
    elements = body.get("batch")
    if not isinstance(elements, list):
        raise RequestError(400, "batch", "batch is not an array of events")
    small = len(raw) <= MOST_EVENT_BYTES
    taken: list[Incoming] = []
    refused: list[RefusedEvent] = []
    lost: list[NotKept] = []
    real = edge.time.wall()
    for index, element in enumerate(elements):
        fault = fault_of(element) if small or _size(element) <= MOST_EVENT_BYTES else "it is longer than 32 KB"
        if fault is None:
            taken.append(incoming(in_batch(element, body), edge.clock, real, public=request.state.public))
            lost += _lost(index, element)
        else:
            refused.append(RefusedEvent(index=index, message=fault))
    edge.metrics.events.labels(SOURCE, "refused").inc(len(refused))
    if refused and not taken:
        raise RequestError(400, "batch", f"no event of the batch is usable; the first: {refused[0].message}")
    await edge.store(SOURCE, taken)
    _ask_to_confirm(request, taken, tasks)
    return Success(refused=refused or None, not_kept=lost or None)


def _add(kind: str) -> None:
    @router.post(f"/{kind[0]}", include_in_schema=False)
    @router.post(
        f"/{kind}",
        name=kind,
        summary=f"Take one {kind} event",
        response_model_exclude_none=True,
        responses=answers(400, 401, 403, 408, 413, 429),
        openapi_extra=body_of(schema_of(kind)),
    )
    async def one(request: Request, edge: Annotated[Edge, Depends(edge_of)], tasks: BackgroundTasks) -> Success:
        """Store one event of 32 KB at most. Sent again with the same messageId, it changes nothing."""
        _, body = await _object(request)
        message = {**body, "type": kind}
        if fault := fault_of(message):
            edge.metrics.events.labels(SOURCE, "refused").inc()
            raise RequestError(400, kind, fault)
        taken = [incoming(message, edge.clock, edge.time.wall(), public=request.state.public)]
        await edge.store(SOURCE, taken)
        _ask_to_confirm(request, taken, tasks)
        return Success(not_kept=_lost(0, message) or None)


for _kind in KINDS:
    _add(_kind)


def _lost(index: int, message: dict[str, Any]) -> list[NotKept]:
    """What cannot be kept of a call; the log names the fields, not their values."""
    fields = not_kept_of(message)
    if not fields:
        return []
    log.warning("fields of a call cannot be kept", type=message.get("type"), fields=fields)
    return [NotKept(index=index, fields=fields)]


async def _object(request: Request) -> tuple[bytes, dict[str, Any]]:
    """The body as it came, and as a JSON object; read once a request. Raises RequestError."""
    if (known := getattr(request.state, "segment", None)) is not None:
        found: tuple[bytes, dict[str, Any]] = known
        return found
    longest = MOST_BATCH_BYTES if request.url.path.rpartition("/")[2] in {"b", "batch"} else MOST_EVENT_BYTES
    require_json(request, "text/plain")  # a browser sends this type without a preflight
    raw = inflate(request, await read_body(request, longest), longest)
    body = parse_json(raw)
    if not isinstance(body, dict):
        raise RequestError(400, "json", "the body is not a JSON object")
    request.state.segment = (raw, body)
    return raw, body


def _is_public(request: Request, edge: Edge, caller: Caller) -> bool:
    """Whether anybody could make this call: by its key, or because a page made it, in which the key then stands."""
    if edge.settings.double_opt_in == "never":
        return False
    by_page = any(name in request.headers for name in ("origin", "sec-fetch-site"))
    return BROWSER in caller.scopes or by_page


def _ask_to_confirm(request: Request, taken: Sequence[Incoming], tasks: BackgroundTasks) -> None:
    """After the answer, ask the addresses that are claimed to confirm."""
    signups: Signups | None = request.app.state.signups
    if signups is not None and request.state.public:
        claims = [claim for event in taken if (claim := claim_of(event.body)) is not None]
        if claims:
            tasks.add_task(signups.ask, claims)


def _size(element: Any) -> int:
    return len(json.dumps(element, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))
