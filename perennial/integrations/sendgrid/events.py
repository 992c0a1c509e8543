"""SendGrid's events: what each says of the lead and of its mail. The one reading, for the webhook and for the relay.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from collections.abc import Mapping
from typing import Any, Literal

from perennial.integrations.sendgrid.bounces import bounce_kind, drop_kind

SOURCE = "sendgrid"
TOUCH_ARGUMENT = "perennial_touch_id"
"""Our one custom argument. Events bring it back, flattened beside SendGrid's own fields, hence the prefix."""

EventKind = Literal[
    "opted-out",
    "complained",
    "hard-bounce",
    "soft-bounce",
    "sender-rejected",
    "delivered",
    "open",
    "click",
    "other",
]

STOPS: Mapping[EventKind, str] = {
    "opted-out": "lead.opted_out",
    "complained": "email.complained",
    "hard-bounce": "email.bounced",
}
"""Kinds that forbid any further mail to the lead, each with the behaviour that it is."""


_KINDS: Mapping[str, EventKind] = {
    "unsubscribe": "opted-out",
    "group_unsubscribe": "opted-out",
    "spamreport": "complained",
    "delivered": "delivered",
    "open": "open",
    "click": "click",
}


def kind_of(event: Mapping[str, Any]) -> EventKind:
    """What an event says; `other` for what concerns neither the lead nor a journey, unknown types included."""
    match event.get("event"):
        case "bounce":
            return bounce_kind(event)
        case "dropped":
            return drop_kind(event)
        case str(name):
            return _KINDS.get(name, "other")
        case _:
            return "other"


def message_id_of(event: Mapping[str, Any]) -> str | None:
    """The `X-Message-Id` of the mail: what `sg_message_id` has before its first dot."""
    return str(event.get("sg_message_id", "")).partition(".")[0] or None
