"""What a bounce says: the address is dead, the mailbox is away for now, or the receiver does not like *us*."""

import re
from collections.abc import Mapping
from typing import Any, Literal

Bounce = Literal["hard", "soft", "ours"]

# SendGrid's own reading of the server's answer, in `bounce_classification`.
_OURS = frozenset({"content", "reputation", "frequency or volume too high", "frequency/volume too high"})
_SOFT = frozenset({"technical", "technical failure", "mailbox unavailable"})
_ABOUT_US = re.compile(
    r"spam|black ?list|block ?list|\brbl\b|dnsbl|reputation|policy|dmarc|\bspf\b|\bdkim\b|"
    r"not authori[sz]ed|unsolicited|rate limit|too many (?:messages|connections)",
    re.IGNORECASE,
)


def bounce_of(event: Mapping[str, Any]) -> Bounce:
    """What a SendGrid `bounce` event says.

    `ours`: the receiver rejects our server, domain or text (RFC 3463 section 3.8: X.7.X is security or policy), which
    is no lead's fault: look after the sender's reputation. `soft`: try again another day (4.X.X, or X.2.2, a full
    mailbox). `hard`: the address does not exist; only that suppresses at once.
    """
    said = str(event.get("bounce_classification") or "").strip().lower()
    status = str(event.get("status") or "").strip()
    reason = str(event.get("reason") or "")
    if said in _OURS or re.match(r"[45]\.7\.", status) or _ABOUT_US.search(reason):
        return "ours"
    if said in _SOFT or status.startswith("4.") or re.match(r"5\.2\.[23]", status) or event.get("type") == "blocked":
        return "soft"
    return "hard"
