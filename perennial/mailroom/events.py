"""The events of SendGrid's Event Webhook, as its reference shapes them."""

from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe
from typing import Any, Literal, assert_never

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from perennial.mailroom.letters import Letter

EventName = Literal[
    "processed",
    "dropped",
    "deferred",
    "delivered",
    "bounce",
    "open",
    "click",
    "spamreport",
    "unsubscribe",
    "group_unsubscribe",
    "group_resubscribe",
]

PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
MACHINE = "Mozilla/5.0"
"""The user agent of Apple's mail privacy proxy."""

SCANNER = "Mozilla/5.0 (compatible; MailGateway/4.2; +https://gateway.example/link-scan)"
"""A security gateway that names itself, and follows every link before the mail is delivered."""

_OUR_IP, _READER_IP, _MACHINE_IP = "198.51.100.25", "203.0.113.7", "192.0.2.44"
_HARD = "550 5.1.1 The email account that you tried to reach does not exist"
_BLOCKED = "554 5.7.1 Message rejected because of the sender's reputation"


class Act(BaseModel):
    """Something that happens to a letter. What is not given takes its common value.

    `at` is the journeys' time; None is now. `type` is a bounce's: `bounce` is hard, `blocked` is about the sender.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: EventName
    at: AwareDatetime | None = None
    url: str | None = None
    url_offset: int | None = Field(default=None, ge=0)
    machine: bool = False
    useragent: str | None = None
    ip: str | None = None
    type: Literal["bounce", "blocked"] = "bounce"
    reason: str | None = None
    attempt: int = Field(default=1, ge=1)
    group: int = 1


@dataclass(frozen=True, slots=True)
class MessageIds:
    """A letter's ids at SendGrid."""

    message_id: str
    sg_message_id: str


def event_body(act: Act, letter: Letter, ids: MessageIds, at: datetime) -> dict[str, Any]:
    """An event as the webhook sends it: the letter's custom arguments, flattened beside SendGrid's own fields."""
    body: dict[str, Any] = {
        **letter.custom_args,
        "email": letter.to,
        "timestamp": int(at.timestamp()),
        "event": act.event,
        "sg_event_id": new_event_id(),
        "sg_message_id": ids.sg_message_id,
        "smtp-id": f"<{ids.message_id}@mailbox.invalid>",
    }
    if letter.categories:
        body["category"] = letter.categories[0] if len(letter.categories) == 1 else list(letter.categories)
    return body | _own_fields(act)


def new_event_id() -> str:
    """A new `sg_event_id`."""
    return token_urlsafe(24)


def _own_fields(act: Act) -> dict[str, Any]:  # noqa: C901, PLR0911 - one case an event
    reader = {"useragent": act.useragent or PERSON, "ip": act.ip or _READER_IP}
    match act.event:
        case "processed":
            return {"send_at": 0}
        case "delivered":
            return {"ip": _OUR_IP, "response": act.reason or "250 OK", "tls": 1}
        case "deferred":
            return {"ip": _OUR_IP, "response": act.reason or "451 4.7.1 Try again later", "attempt": str(act.attempt)}
        case "dropped":
            return {"reason": act.reason or "Bounced Address", "status": "5.0.0"}
        case "bounce":
            hard = act.type == "bounce"
            return {
                "type": act.type,
                "reason": act.reason or (_HARD if hard else _BLOCKED),
                "status": "5.1.1" if hard else "5.7.1",
                "bounce_classification": "Invalid Address" if hard else "Reputation",
                "ip": _OUR_IP,
                "tls": 1,
            }
        case "open":
            if act.machine:
                reader = {"useragent": act.useragent or MACHINE, "ip": act.ip or _MACHINE_IP}
            return {**reader, "sg_machine_open": act.machine, "sg_content_type": "html"}
        case "click":
            return {**reader, "url": act.url or "", "url_offset": {"index": act.url_offset or 0, "type": "html"}}
        case "spamreport":
            return {}
        case "unsubscribe":
            return reader
        case "group_unsubscribe" | "group_resubscribe":
            return {**reader, "asm_group_id": act.group}
        case _:
            assert_never(act.event)
