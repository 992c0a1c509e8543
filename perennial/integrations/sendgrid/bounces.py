"""What a bounce says: the address is dead, the mailbox is away for now, or the receiver rejects the sender, us."""

import re
from collections.abc import Mapping
from typing import Any, Literal

# SendGrid's own reading of the receiver's answer, in `bounce_classification`.
_SENDER_CLASSES = frozenset({"content", "reputation", "frequency or volume too high", "frequency/volume too high"})
_SOFT_CLASSES = frozenset({"technical", "technical failure", "mailbox unavailable"})
_ABOUT_THE_SENDER = re.compile(
    r"spam|black ?list|block ?list|\brbl\b|dnsbl|reputation|policy|dmarc|\bspf\b|\bdkim\b|"
    r"not authori[sz]ed|unsolicited|rate limit|too many (?:messages|connections)",
    re.IGNORECASE,
)

# SendGrid's reasons for not even trying that come from its own lists and checks of addresses.
# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event#dropped
_DROP_REASONS: Mapping[str, Literal["opted-out", "complained", "hard-bounce"]] = {
    "unsubscribed address": "opted-out",
    "spam reporting address": "complained",
    "bounced address": "hard-bounce",
    "invalid": "hard-bounce",
}


def bounce_kind(event: Mapping[str, Any]) -> Literal["hard-bounce", "soft-bounce", "sender-rejected"]:
    """What a `bounce` event says.

    `sender-rejected`: the receiver rejects our server, domain or text (RFC 3463 section 3.8: X.7.X is security or
    policy). That is no lead's fault: look after the sender's reputation. `soft-bounce`: try again another day (4.X.X,
    or X.2.2, a full mailbox). `hard-bounce`: the address does not exist; only this suppresses at once.
    """
    classified = str(event.get("bounce_classification") or "").strip().lower()
    status = str(event.get("status") or "").strip()
    reason = str(event.get("reason") or "")
    if classified in _SENDER_CLASSES or re.match(r"[45]\.7\.", status) or _ABOUT_THE_SENDER.search(reason):
        return "sender-rejected"
    if (
        classified in _SOFT_CLASSES
        or status.startswith("4.")
        or re.match(r"5\.2\.[23]", status)
        or event.get("type") == "blocked"
    ):
        return "soft-bounce"
    return "hard-bounce"


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
