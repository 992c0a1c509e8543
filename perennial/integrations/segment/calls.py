"""A call of Segment's API: what is wrong with it, when it happened, and the event that stores it."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from nurture.timing.clock import Clock
from perennial.intake.outbox import LONGEST_ID, Incoming, event_id_of
from perennial.intake.visitors import visitor_of
from perennial.web.bodies import too_deep

SOURCE = "segment"
KINDS = ("identify", "track", "page", "screen", "group", "alias")
REQUIRED = {"track": ["event"], "group": ["groupId"], "alias": ["previousId"]}
"""Fields that a kind of call needs, beside an id of the person."""


PUBLIC = "perennialPublic"
"""Marks a stored call that came through a browser: whoever reads the page's key can make it."""


def incoming(message: Mapping[str, Any], clock: Clock, received: datetime, *, public: bool = False) -> Incoming:
    """A message as it is stored: correct its `timestamp`, keep the sender's as `originalTimestamp`, as both do.

    Without a messageId each call counts, as at Segment. `received` is real time; the clock's time is stored.
    """
    message_id = event_id_of(message.get("messageId")) or uuid.uuid4().hex
    happened = happened_at(message, received)
    now = clock.virtual_at(received)
    try:
        at = min(clock.virtual_at(happened), now)
    except OverflowError:
        at = now
    body = {
        **{name: value for name, value in message.items() if name not in {"writeKey", PUBLIC}},
        "messageId": message_id,
        "originalTimestamp": message.get("originalTimestamp") or message.get("timestamp"),
        "timestamp": at.isoformat(),
        "receivedAt": now.isoformat(),
        **({PUBLIC: True} if public else {}),
    }
    return Incoming(
        source=SOURCE,
        event_id=message_id,
        identity=(message_id,),
        body=body,
        received_at=now,
        anonymous_id=_visitor(message),
    )


def _visitor(message: Mapping[str, Any]) -> str | None:
    """Under which visitor a call waits: its browser's, else its user's; an alias is about its user first."""
    visitors = (_id(message.get("anonymousId")), visitor_of(_id(message.get("userId"))))
    return next(filter(None, reversed(visitors) if message.get("type") == "alias" else visitors), None)


def in_batch(element: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Any]:
    """An event with what its batch says for all. The batch's `sentAt` wins: one kept offline may be old."""
    common = {name: batch[name] for name in ("sentAt", "context") if name in batch}
    sent = {"sentAt": batch["sentAt"]} if _moment(batch.get("sentAt")) else {}
    return {**common, **element, **sent}


def happened_at(message: Mapping[str, Any], received: datetime) -> datetime:
    """When it happened by our clock: `received`, less the time that passed before it was sent, by the sender's clock.

    Segment's libraries tell the sender's clock as `timestamp`, RudderStack's as `originalTimestamp`. With both a server
    has set `timestamp` right already, and it is taken as it is; so is one without a sentAt. Without either it is
    `received`. Nothing happens after it is received.
    https://www.twilio.com/docs/segment/connections/spec/common#timestamps,
    https://www.rudderstack.com/docs/event-spec/standard-events/common-fields/
    """
    corrected, own = _moment(message.get("timestamp")), _moment(message.get("originalTimestamp"))
    happened = corrected or own
    sent = _moment(message.get("sentAt")) if corrected is None or own is None else None
    if happened is None:
        return received
    if sent is None:
        return min(happened, received)
    try:
        return received - max(sent - happened, timedelta(0))
    except OverflowError:
        return received


def fault_of(message: Any) -> str | None:
    """What is wrong with a call; None if it can be stored."""
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
    for name in REQUIRED.get(kind, ()):
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
