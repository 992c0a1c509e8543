"""How OpenAPI describes Segment's calls."""

from collections.abc import Mapping
from typing import Any

from perennial.intake.outbox import LONGEST_ID
from perennial.integrations.segment.calls import KINDS, REQUIRED

_COMMON: dict[str, Any] = {
    "userId": {"type": "string", "maxLength": LONGEST_ID, "description": "the person; or give anonymousId"},
    "anonymousId": {"type": "string", "maxLength": LONGEST_ID, "description": "a visitor whose name is not known yet"},
    "messageId": {"type": "string", "description": "names the event for good: sent twice, it counts once"},
    "timestamp": {"type": "string", "format": "date-time", "description": "when it happened, by the sender's clock"},
    "originalTimestamp": {
        "type": "string",
        "format": "date-time",
        "description": "the same from RudderStack; with both, timestamp is right already",
    },
    "sentAt": {
        "type": "string",
        "format": "date-time",
        "description": "when it was sent, by that clock; corrects its error",
    },
    "context": {"type": "object"},
}
_PROPERTIES_OF: dict[str, dict[str, Any]] = {
    "identify": {"traits": {"type": "object"}},
    "track": {"event": {"type": "string", "minLength": 1}, "properties": {"type": "object"}},
    "page": {"name": {"type": "string"}, "properties": {"type": "object"}},
    "screen": {"name": {"type": "string"}, "properties": {"type": "object"}},
    "group": {"groupId": {"type": "string", "minLength": 1}, "traits": {"type": "object"}},
    "alias": {"previousId": {"type": "string", "minLength": 1}},
}
_EXAMPLES: dict[str, dict[str, Any]] = {
    "identify": {"userId": "u-42", "anonymousId": "a-7", "traits": {"email": "ada@example.com"}, "messageId": "m-1"},
    "track": {"userId": "u-42", "event": "Demo Requested", "messageId": "m-2"},
    "page": {"anonymousId": "a-7", "properties": {"path": "/pricing"}, "messageId": "m-3"},
    "screen": {"userId": "u-42", "name": "Home", "messageId": "m-4"},
    "group": {"userId": "u-42", "groupId": "acme", "messageId": "m-5"},
    "alias": {"userId": "u-42", "previousId": "a-7", "messageId": "m-6"},
}


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON schema of one kind of call."""
    return {
        "type": "object",
        "properties": _COMMON | _PROPERTIES_OF[kind],
        "required": REQUIRED.get(kind, []),
        "anyOf": [{"required": ["userId"]}, {"required": ["anonymousId"]}],
        "example": _EXAMPLES[kind],
    }


def body_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A route's `openapi_extra`: a JSON body of this schema."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


BATCH = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {
            "type": "array",
            "items": {"type": "object", "required": ["type"], "properties": {"type": {"enum": list(KINDS)}}},
        },
        "sentAt": _COMMON["sentAt"],
        "context": {"type": "object", "description": "added to each event without one"},
    },
    "example": {"batch": [{"type": kind, **_EXAMPLES[kind]} for kind in ("identify", "page")]},
}
"""The JSON schema of a batch of calls."""
