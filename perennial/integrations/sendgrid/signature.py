"""Verify that SendGrid made a webhook call.

Nothing here raises for what a stranger sends: `fault` returns the `RequestError` to raise, or None.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from perennial.web.errors import RequestError

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
AHEAD = timedelta(minutes=5)
"""How far the sender's clock may be ahead of ours."""


@dataclass(frozen=True)
class SendGridSignature:
    """ECDSA on P-256 with SHA-256 over the timestamp header and the raw body, which ends in CRLF.

    https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
    `max_age` exceeds the 24 hours for which SendGrid repeats a call: its documentation does not say whether it signs a
    repeated call again, and refusing one loses events. A replay within it changes nothing: events are stored once.
    """

    keys: Sequence[EllipticCurvePublicKey]
    max_age: timedelta

    @classmethod
    def of(cls, keys: Sequence[str], max_age: timedelta) -> "SendGridSignature | None":
        """From keys as SendGrid shows them: base64 of DER, which the settings have checked. None without a key."""
        loaded = [load_der_public_key(base64.b64decode(key)) for key in keys]
        return cls([key for key in loaded if isinstance(key, EllipticCurvePublicKey)], max_age) if loaded else None

    def fault(self, headers: Mapping[str, str], body: bytes, now: datetime) -> RequestError | None:
        """What is wrong with the signature at the real time `now`; None if nothing is."""
        signature, timestamp = headers.get(SIGNATURE), headers.get(TIMESTAMP)
        if not signature or not timestamp:
            return RequestError(
                401, "signature_missing", f"send {SIGNATURE} and {TIMESTAMP}; turn signing on in SendGrid"
            )
        wrong = RequestError(
            403, "signature", "the signature does not fit; is PERENNIAL_SENDGRID_WEBHOOK_KEY the right one?"
        )
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16):
            return wrong
        try:
            given = base64.b64decode(signature, validate=True)
        except ValueError:
            return wrong
        if not any(_fits(key, given, timestamp.encode() + body) for key in self.keys):
            return wrong
        age = now.timestamp() - int(timestamp)
        if not -AHEAD.total_seconds() <= age <= self.max_age.total_seconds():
            return RequestError(403, "stale", f"the call was signed more than {self.max_age} ago, or in the future")
        return None


def _fits(key: EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
