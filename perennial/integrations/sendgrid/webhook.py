"""SendGrid's Event Webhook: a signed batch of up to a thousand events, stored whole in one transaction.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from perennial.intake.fields import text_of, unix_moment_of
from perennial.intake.outbox import Incoming, event_id_of
from perennial.intake.suppressing import Stop, suppress_stopped
from perennial.integrations.sendgrid.events import SOURCE, STOPS, TOUCH_ARGUMENT, kind_of
from perennial.integrations.sendgrid.signature import SIGNATURE, TIMESTAMP
from perennial.platform.secrets import secrets_of
from perennial.web.bodies import inflate, parse_json, read_body, require_json, too_deep
from perennial.web.edge import Edge, edge_of
from perennial.web.errors import TRY_AGAIN_SECONDS, RequestError, answers

MOST_BYTES = 5 * 1024 * 1024
_IDENTITY = ("event", "sg_message_id", "email", "timestamp", "url", "url_offset", "attempt", "reason")

router = APIRouter(tags=["webhooks"])


class BatchReceipt(BaseModel):
    """What became of a batch."""

    events: int = Field(description="events that are stored, by this call or an earlier one")
    new: int = Field(description="those of them that this call stored")
    refused: int = Field(description="elements that are no event: not an object, without a type, or nested too deeply")


_HEADERS = [
    {
        "name": name,
        "in": "header",
        "required": True,
        "description": meaning,
        "schema": {"type": "string"},
    }
    for name, meaning in (
        (SIGNATURE, "base64 of an ECDSA P-256 SHA-256 signature over the timestamp and the raw body"),
        (TIMESTAMP, "seconds since 1970 at which the call was signed"),
    )
]
_EVENT = {
    "type": "object",
    "required": ["event"],
    "additionalProperties": True,
    "properties": {
        "event": {"type": "string", "minLength": 1, "description": "its type; an unknown one is stored and ignored"},
        "sg_event_id": {"type": "string"},
        "sg_message_id": {"type": "string"},
        "email": {"type": "string"},
        "timestamp": {"type": "integer", "description": "seconds since 1970"},
        TOUCH_ARGUMENT: {"type": "string", "description": "the touch that the event is about; one of our custom_args"},
    },
    "example": {
        "event": "click",
        "email": "ada@example.com",
        "timestamp": 1772366400,
        "sg_event_id": "Y2xpY2stMQ",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "url": "https://example.com/guide",
        TOUCH_ARGUMENT: "0f8fad5bd9cb469fa165708067728950",
    },
}


@router.post(
    "/webhooks/sendgrid",
    summary="Take SendGrid's events",
    responses=answers(400, 401, 403, 408, 413),
    openapi_extra={
        "parameters": _HEADERS,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "array", "items": _EVENT}}},
        },
    },
)
async def sendgrid(request: Request, edge: Annotated[Edge, Depends(edge_of)]) -> BatchReceipt:
    """Store a batch of events, each once, and suppress the leads who opted out, complained or bounced hard.

    An element that is no event never fails its batch. An event may come twice, late, and in any order. What the answer
    counts is committed; after any other answer send the same again.
    """
    signature = request.app.state.sendgrid_signature
    if signature is None:
        raise RequestError(
            503, "not_set_up", "PERENNIAL_SENDGRID_WEBHOOK_KEY is not set", retry_after=TRY_AGAIN_SECONDS
        )
    raw = await read_body(request, MOST_BYTES)
    if fault := signature.fault(request.headers, raw, edge.time.wall()):
        raise fault
    require_json(request)
    elements = parse_json(inflate(request, raw, MOST_BYTES))
    if not isinstance(elements, list):
        raise RequestError(400, "json", "the body is not an array of events")
    now = edge.now()
    incoming = [
        Incoming(
            source=SOURCE,
            event_id=event_id_of(one.get("sg_event_id")),
            identity=tuple([one.get(name) for name in _IDENTITY]),
            body=one,
            received_at=now,
        )
        for one in elements
        if is_event(one)
    ]
    stops = [
        Stop(
            number=number,
            behaviour=behaviour,
            at=min(unix_moment_of(body.get("timestamp")) or now, now),
            touch_id=text_of(body.get(TOUCH_ARGUMENT)),
            email=text_of(body.get("email")),
        )
        for number, event in enumerate(incoming)
        if (behaviour := STOPS.get(kind_of(body := event.body)))
    ]

    async def stop(session: AsyncSession) -> None:
        leads = await suppress_stopped(session, secrets_of(edge.settings), incoming, stops, source=SOURCE)
        for number, lead_id in leads.items():
            incoming[number] = replace(incoming[number], lead_id=lead_id)

    new = await edge.store(SOURCE, incoming, stop if stops else None)
    refused = len(elements) - len(incoming)
    edge.metrics.events.labels(SOURCE, "refused").inc(refused)
    return BatchReceipt(events=len(incoming), new=new, refused=refused)


def is_event(element: Any) -> bool:
    """Whether an element of the batch is an event that can be stored."""
    if not isinstance(element, dict):
        return False
    name = element.get("event")
    return isinstance(name, str) and name != "" and not too_deep(element)
