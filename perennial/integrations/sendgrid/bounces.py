"""What SendGrid says of a mail that it could not deliver, or did not try to."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from perennial.intake.bounces import Reading, read_bounce

# SendGrid's reasons for not even trying that come from its own lists and checks of addresses.
# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event#dropped
_DROP_REASONS: Mapping[str, Literal["opted-out", "complained", "hard-bounce"]] = {
    "unsubscribed address": "opted-out",
    "spam reporting address": "complained",
    "bounced address": "hard-bounce",
    "invalid": "hard-bounce",
}


def bounce_kind(event: Mapping[str, Any]) -> Reading:
    """What a `bounce` event says; see `perennial.intake.bounces`. SendGrid calls `blocked` what is not for good."""
    found = read_bounce(
        str(event.get("reason") or ""),
        status=str(event.get("status") or ""),
        classification=str(event.get("bounce_classification") or ""),
    )
    return "soft-bounce" if found == "hard-bounce" and event.get("type") == "blocked" else found


def drop_kind(
    event: Mapping[str, Any],
) -> Literal["opted-out", "complained", "hard-bounce", "sender-rejected"]:
    """What a `dropped` event says: SendGrid did not even try.

    `sender-rejected` for every reason that blames no lead: its quota, its spam check, a bad header.
    """
    return _DROP_REASONS.get(str(event.get("reason") or "").strip().lower(), "sender-rejected")


def receiver_reason(event: Mapping[str, Any]) -> str:
    """Why the receiver or SendGrid rejected a mail, in its own words, without the address they may quote."""
    address = str(event.get("email") or "")
    reason = " ".join(str(event.get("reason") or event.get("bounce_classification") or "no reason given").split())
    if address:
        reason = re.sub(re.escape(address), "the address", reason, flags=re.IGNORECASE)
    return reason
