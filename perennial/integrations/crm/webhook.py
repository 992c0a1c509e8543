"""The CRM's webhook: deals and answers to hand-offs, signed as Standard Webhooks specifies.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from nurture.errors import InputError
from nurture.measures.money import read_money
from perennial.intake.outbox import Incoming, event_id_of
from perennial.leads.lookup import find_lead
from perennial.web.bodies import inflate, parse_json, read_body, require_json
from perennial.web.edge import Edge, edge_of
from perennial.web.errors import TRY_AGAIN_SECONDS, RequestError, answers, explain

MOST_BYTES = 64 * 1024
SOURCE = "crm"
AHEAD = timedelta(minutes=5)
"""How far the CRM's clock may be ahead of ours."""

_KEPT = {"lead", "reason", "at", "deal", "amount", "currency"}

router = APIRouter(tags=["webhooks"])


class CrmData(BaseModel):
    """What happened, to whom."""

    model_config = ConfigDict(extra="allow")

    lead: str = Field(
        min_length=1, max_length=320, description="the lead's id, CRM id, external id, e-mail address or user id"
    )
    reason: str | None = Field(default=None, max_length=200, description="why it was lost, rejected or disqualified")
    at: AwareDatetime | None = Field(
        default=None, description="when it happened, with a time zone; else when it is received"
    )
    deal: str | None = Field(default=None, max_length=128, description="the deal's id, for a lead with several")
    amount: Decimal | None = Field(default=None, description="what the deal is worth, 1200.50; with `currency`")
    currency: str | None = Field(default=None, max_length=3, description="its ISO 4217 code, such as EUR")

    @model_validator(mode="after")
    def _is_money(self) -> Self:
        if self.amount is not None or self.currency is not None:
            try:
                read_money(self.amount, self.currency)
            except InputError as error:
                raise ValueError(error) from None
        return self


class CrmEvent(BaseModel):
    """One event of a CRM, in Standard Webhooks' envelope."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "deal.won",
                "data": {"lead": "ada@example.com", "deal": "D-7", "amount": "1200.50", "currency": "EUR"},
            },
        },
    )

    type: Literal["deal.opened", "deal.won", "deal.lost", "lead.disqualified", "sales.accepted", "sales.rejected"]
    data: CrmData


class EventReceipt(BaseModel):
    """The event is stored."""

    new: bool = Field(description="False if an event with this webhook-id was stored before")


def _schema() -> dict[str, Any]:
    """CrmEvent's schema without references, so that it can stand in place."""
    schema = CrmEvent.model_json_schema()
    schema["properties"]["data"] = schema.pop("$defs")["CrmData"]
    return schema


_HEADERS = [
    {"name": name, "in": "header", "required": True, "description": meaning, "schema": {"type": "string"}}
    for name, meaning in (
        ("webhook-id", "names the event: sent twice, it counts once"),
        ("webhook-timestamp", "seconds since 1970 at which the call was signed"),
        ("webhook-signature", "`v1,` and base64 of an HMAC-SHA256 over id, timestamp and body"),
    )
]


@router.post(
    "/webhooks/crm",
    summary="Take an event of the CRM",
    responses=answers(400, 401, 403, 404, 408, 413),
    openapi_extra={
        "parameters": _HEADERS,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _schema()}},
        },
    },
)
async def crm(request: Request, edge: Annotated[Edge, Depends(edge_of)]) -> EventReceipt:
    """Store an event about a lead. The lead's journeys learn of it within seconds."""
    signature = request.app.state.crm_signature
    if signature is None:
        raise RequestError(503, "not_set_up", "PERENNIAL_CRM_WEBHOOK_SECRET is not set", retry_after=TRY_AGAIN_SECONDS)
    raw = await read_body(request, MOST_BYTES)
    if fault := signature.fault(request.headers, raw):
        raise fault
    require_json(request)
    body = parse_json(inflate(request, raw, MOST_BYTES))
    try:
        given = CrmEvent.model_validate(body)
    except ValidationError as error:
        raise RequestError(
            400, "input", "; ".join(explain(one["loc"], one["msg"]) for one in error.errors()[:5])
        ) from None
    now = edge.now()
    if given.data.at is not None and given.data.at > now + AHEAD:
        raise RequestError(400, "input", "data.at: it is in the future")
    async with edge.database.reading() as session:
        lead = await find_lead(session, given.data.lead)
    if lead is None:
        raise RequestError(
            404, "unknown_lead", "data.lead: no lead has this id, CRM id, external id, e-mail address or user id"
        )
    name = event_id_of(request.headers["webhook-id"])
    known = {"type": given.type, "data": given.data.model_dump(mode="json", include=_KEPT)}
    new = await edge.store(SOURCE, [Incoming(SOURCE, name, (name,), known, now, lead_id=lead.id)])
    return EventReceipt(new=new == 1)
