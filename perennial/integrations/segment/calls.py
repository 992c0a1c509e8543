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
        **{name: value for name, value in message.items() if name not in {"writeKey", PUBLIC}},
        "messageId": message_id,
        "originalTimestamp": message.get("timestamp"),
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
