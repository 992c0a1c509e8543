"""The port of a mail provider: a protocol, the message it gets, and how it can fail.

SendError
├── NotSentError         surely not sent (connection refused, 4xx): the send is settled as refused
├── TryLaterError        surely not sent, and worth another try; `after` is the provider's own time, if it named one
├── UnknownFateError     perhaps sent (time-out, reset, 5xx after the body went): never sent again blindly
└── SendingStoppedError  surely not sent: quota or credentials, so the fault is the sender's and not the lead's
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from nurture.errors import PerennialError

Bounce = Literal["hard", "soft"]


class SendError(PerennialError):
    """A provider did not accept a message.

    The text may quote the provider, so it stays in our database. Only `code` (a status or a slug: `400`, `quota`)
    enters a journey's history, which holds no personal data.
    """

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.code = code if re.fullmatch(r"[A-Za-z0-9_-]{0,32}", code) else ""

    def said(self, what: str) -> str:
        """`what` happened, followed by the code."""
        return f"{what} ({self.code})" if self.code else what


class NotSentError(SendError):
    """Surely not sent, and another try would end the same way.

    `bounce` says what that means for the address: it is dead (`hard`), its mailbox is away (`soft`), or neither.
    """

    def __init__(self, message: str = "", *, code: str = "", bounce: Bounce | None = None) -> None:
        super().__init__(message, code=code)
        self.bounce = bounce


class TryLaterError(SendError):
    """Surely not sent; try again, after the provider's own time if it named one.

    With `soft` it is the lead's mailbox that is away: after a few tries that is a soft bounce.
    """

    def __init__(
        self, message: str = "", after: timedelta | None = None, *, code: str = "", soft: bool = False
    ) -> None:
        super().__init__(message, code=code)
        self.after = after
        self.soft = soft


class UnknownFateError(SendError):
    """Perhaps sent."""


class SendingStoppedError(SendError):
    """Surely not sent: the provider refuses the sender, not the lead."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message for one lead. `touch_id` is opaque; a provider hands it back in its events."""

    touch_id: str
    lead_id: str
    to: str
    sender_name: str
    sender_address: str
    reply_to: str
    subject: str
    text: str
    html: str
    categories: tuple[str, ...]
    at: datetime
    headers: dict[str, str] = field(default_factory=dict)


Fate = Literal["accepted", "absent", "unknown"]


class Provider(Protocol):
    """Sends a message once; raises a SendError otherwise. A new provider is one file with one such class.

    One that has `acceptance_is_all = True` will tell no more of a mail than that: accepted then counts as delivered.
    """

    async def send(self, envelope: Envelope) -> str:
        """Send the message; the provider's own id of it."""
        ...

    async def fate(self, touch_id: str) -> Fate:
        """Whether the provider took a message that we were about to send; `absent` if it surely did not."""
        ...
