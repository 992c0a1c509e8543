"""Segment's HTTP Tracking API: its client libraries, and RudderStack's, work with our address and an API key.

https://www.twilio.com/docs/segment/connections/sources/catalog/libraries/server/http-api

In a browser, analytics.js (`apiHost: "our.host/v1"`) posts `text/plain` to paths of one letter, with no header, and its
key as `writeKey` in the body. It runs in pages of other sites, so `perennial.app.web` opens `PREFIX` to any site.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from nurture.timing.clock import Clock
from perennial.intake.fields import text_of
from perennial.intake.outbox import LONGEST_ID, Incoming, event_id_of
from perennial.intake.visitors import visitor_of
from perennial.web.bodies import inflate, parse_json, read_body, require_json, too_deep
from perennial.web.edge import Edge, edge_of
from perennial.web.errors import RequestError, answers
from perennial.web.keys import BASIC, BEARER, Caller, RequireScope

MOST_EVENT_BYTES = 32 * 1024
MOST_BATCH_BYTES = 500 * 1024
SOURCE = "segment"
PREFIX = "/v1"
KINDS = ("identify", "track", "page", "screen", "group", "alias")


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
            return await super().__call__(request, edge)
        try:
            _, body = await _object(request)
        except RequestError as error:
            if error.status != 400:
                raise
            body = {}  # a missing key is reported before a malformed body
        return await self.admit(request, edge, text_of(body.get("writeKey")))


router = APIRouter(prefix=PREFIX, tags=["segment"], dependencies=[Depends(WriteKey("ingest"))])


class RefusedEvent(BaseModel):
    """An event of a batch that is not usable."""

    index: int = Field(description="its place in the batch, from 0")
    message: str = Field(description="what is wrong with it")


class Success(BaseModel):
    """The answer that Segment's libraries expect."""

    success: bool = True
    refused: list[RefusedEvent] | None = Field(
        default=None, description="the batch's events that are not usable, if any"
    )


_PROPERTIES: dict[str, Any] = {
    "userId": {"type": "string", "maxLength": LONGEST_ID, "description": "the person; or give anonymousId"},
    "anonymousId": {"type": "string", "maxLength": LONGEST_ID, "description": "a visitor whose name is not known yet"},
    "messageId": {"type": "string", "description": "names the event for good: sent twice, it counts once"},
    "timestamp": {"type": "string", "format": "date-time", "description": "when it happened, by the sender's clock"},
    "sentAt": {
        "type": "string",
        "format": "date-time",
        "description": "when it was sent, by that clock; corrects its error",
    },
    "context": {"type": "object"},
}
_OWN: dict[str, dict[str, Any]] = {
    "identify": {"traits": {"type": "object"}},
    "track": {"event": {"type": "string", "minLength": 1}, "properties": {"type": "object"}},
    "page": {"name": {"type": "string"}, "properties": {"type": "object"}},
    "screen": {"name": {"type": "string"}, "properties": {"type": "object"}},
    "group": {"groupId": {"type": "string", "minLength": 1}, "traits": {"type": "object"}},
    "alias": {"previousId": {"type": "string", "minLength": 1}},
}
_REQUIRED = {"track": ["event"], "group": ["groupId"], "alias": ["previousId"]}
_EXAMPLES: dict[str, dict[str, Any]] = {
    "identify": {"userId": "u-42", "anonymousId": "a-7", "traits": {"email": "ada@example.com"}, "messageId": "m-1"},
    "track": {"userId": "u-42", "event": "Demo Requested", "messageId": "m-2"},
    "page": {"anonymousId": "a-7", "properties": {"path": "/pricing"}, "messageId": "m-3"},
    "screen": {"userId": "u-42", "name": "Home", "messageId": "m-4"},
    "group": {"userId": "u-42", "groupId": "acme", "messageId": "m-5"},
    "alias": {"userId": "u-42", "previousId": "a-7", "messageId": "m-6"},
}


def _schema(kind: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": _PROPERTIES | _OWN[kind],
        "required": _REQUIRED.get(kind, []),
        "anyOf": [{"required": ["userId"]}, {"required": ["anonymousId"]}],
        "example": _EXAMPLES[kind],
    }


def _body(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_BATCH = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {
            "type": "array",
            "items": {"type": "object", "required": ["type"], "properties": {"type": {"enum": list(KINDS)}}},
        },
        "sentAt": _PROPERTIES["sentAt"],
        "context": {"type": "object", "description": "added to each event without one"},
    },
    "example": {"batch": [{"type": kind, **_EXAMPLES[kind]} for kind in ("identify", "page")]},
}


@router.post("/b", include_in_schema=False)
@router.post(
    "/batch",
    summary="Take many events",
    response_model_exclude_none=True,
    responses=answers(400, 401, 403, 408, 413, 429),
    openapi_extra=_body(_BATCH),
)
async def batch(request: Request, edge: Annotated[Edge, Depends(edge_of)]) -> Success:
    """Store up to 500 KB of events, each of 32 KB at most, in one transaction.

    The answer lists the events that are not usable, and why. If none is usable, it is 400.
    """
    raw, body = await _object(request)
    elements = body.get("batch")
    if not isinstance(elements, list):
        raise RequestError(400, "batch", "batch is not an array of events")
    common: dict[str, Any] = {name: body[name] for name in ("sentAt", "context") if name in body}
    small = len(raw) <= MOST_EVENT_BYTES
    taken: list[Incoming] = []
    refused: list[RefusedEvent] = []
    real = edge.time.wall()
    for index, element in enumerate(elements):
        fault = _fault(element) if small or _size(element) <= MOST_EVENT_BYTES else "it is longer than 32 KB"
        if fault is None:
            taken.append(incoming({**common, **element}, edge.clock, real))
        else:
            refused.append(RefusedEvent(index=index, message=fault))
    edge.metrics.events.labels(SOURCE, "refused").inc(len(refused))
    if refused and not taken:
        raise RequestError(400, "batch", f"no event of the batch is usable; the first: {refused[0].message}")
    await edge.store(SOURCE, taken)
    return Success(refused=refused or None)


def _add(kind: str) -> None:
    @router.post(f"/{kind[0]}", include_in_schema=False)
    @router.post(
        f"/{kind}",
        name=kind,
        summary=f"Take one {kind} event",
        response_model_exclude_none=True,
        responses=answers(400, 401, 403, 408, 413, 429),
        openapi_extra=_body(_schema(kind)),
    )
    async def one(request: Request, edge: Annotated[Edge, Depends(edge_of)]) -> Success:
        """Store one event of 32 KB at most. Sent again with the same messageId, it changes nothing."""
        _, body = await _object(request)
        message = {**body, "type": kind}
        if fault := _fault(message):
            edge.metrics.events.labels(SOURCE, "refused").inc()
            raise RequestError(400, kind, fault)
        await edge.store(SOURCE, [incoming(message, edge.clock, edge.time.wall())])
        return Success()


for _kind in KINDS:
    _add(_kind)


def incoming(message: Mapping[str, Any], clock: Clock, received: datetime) -> Incoming:
    """A message as it is stored: correct its `timestamp`, keep the sender's as `originalTimestamp`, as Segment does.

    Without a messageId each call counts, as at Segment. `received` is real time; the clock's time is stored.
    """
    message_id = event_id_of(message.get("messageId")) or uuid.uuid4().hex
    happened = happened_at(message.get("timestamp"), message.get("sentAt"), received)
    now = clock.virtual_at(received)
    try:
        at = min(clock.virtual_at(happened), now)
    except OverflowError:
        at = now
    body = {
        **{name: value for name, value in message.items() if name != "writeKey"},
        "messageId": message_id,
        "originalTimestamp": message.get("timestamp"),
        "timestamp": at.isoformat(),
        "receivedAt": now.isoformat(),
    }
    return Incoming(
        source=SOURCE,
        event_id=message_id,
        identity=(message_id,),
        body=body,
        received_at=now,
        anonymous_id=_id(message.get("anonymousId")) or visitor_of(_id(message.get("userId"))),
    )


def happened_at(timestamp: Any, sent_at: Any, received: datetime) -> datetime:
    """When it happened by our clock: `received`, less the time from timestamp to sentAt by the sender's clock.

    https://www.twilio.com/docs/segment/connections/spec/common#timestamps. Without a sentAt the timestamp is taken
    as it is; without a timestamp, `received`. Nothing happens after it is received.
    """
    happened, sent = _moment(timestamp), _moment(sent_at)
    if happened is None:
        return received
    if sent is None:
        return min(happened, received)
    try:
        return received - max(sent - happened, timedelta(0))
    except OverflowError:
        return received


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


def _fault(message: Any) -> str | None:
    """What is wrong with a message; None if it can be stored."""
    if not isinstance(message, dict):
        return "it is not an object"
    kind = message.get("type")
    if kind not in KINDS:
        return f"its type is none of {', '.join(KINDS)}"
    for name in ("userId", "anonymousId"):
        if len(_id(message.get(name)) or "") > LONGEST_ID:
            return f"{name} is longer than {LONGEST_ID} characters"
    if not (_id(message.get("userId")) or _id(message.get("anonymousId"))):
        return "it has neither userId nor anonymousId"
    for name in _REQUIRED.get(kind, ()):
        if not _id(message.get(name)):
            return f"a {kind} call needs {name}"
    return "it nests too deeply" if too_deep(message) else None


def _id(value: Any) -> str | None:
    """An identifier as text; libraries send numbers as well."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _size(element: Any) -> int:
    return len(json.dumps(element, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))
