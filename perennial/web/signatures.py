"""Whether a webhook call was made by whom it says: SendGrid's scheme, and Standard Webhooks'.

Nothing here raises for what a stranger sends: each answers with a `RequestError` to be raised, or with None.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from standardwebhooks import Webhook, WebhookVerificationError

from perennial.web.errors import RequestError

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
AHEAD = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours."""


@dataclass(frozen=True)
class SendGridSignature:
    """ECDSA on P-256 with SHA-256 over the timestamp header and the raw body, which ends in CRLF.

    https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
    `max_age` has to exceed the 24 hours for which SendGrid repeats a call: whether a repeated call is signed anew is
    not documented, and refusing one loses events. A replay within it changes nothing, since events are stored once.
    """

    key: EllipticCurvePublicKey
    max_age: timedelta

    @classmethod
    def from_text(cls, key: str, max_age: timedelta) -> "SendGridSignature":
        """From the key as SendGrid shows it: base64 of DER, which the settings have checked."""
        loaded = load_der_public_key(base64.b64decode(key))
        assert isinstance(loaded, EllipticCurvePublicKey)
        return cls(loaded, max_age)

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
            self.key.verify(base64.b64decode(signature, validate=True), timestamp.encode() + body, ECDSA(SHA256()))
        except (InvalidSignature, binascii.Error, ValueError):
            return wrong
        age = now.timestamp() - int(timestamp)
        if not -AHEAD.total_seconds() <= age <= self.max_age.total_seconds():
            return RequestError(403, "stale", f"the call was signed more than {self.max_age} ago, or in the future")
        return None


@dataclass(frozen=True)
class StandardSignature:
    """https://www.standardwebhooks.com: HMAC-SHA256 over id, timestamp and body; good for five minutes."""

    webhook: Webhook

    @classmethod
    def from_secret(cls, secret: str) -> "StandardSignature":
        """From the shared secret, `whsec_...`, which the settings have checked."""
        return cls(Webhook(secret))

    def fault(self, headers: Mapping[str, str], body: bytes) -> RequestError | None:
        """What is wrong with the signature; None if nothing is."""
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        if not all(headers.get(name) for name in names):
            return RequestError(401, "signature_missing", f"send {', '.join(names)} as Standard Webhooks asks for")
        try:
            self.webhook.verify(body, {name: headers[name] for name in names}, json_parse=False)
        except WebhookVerificationError as error:
            code = "stale" if "too" in str(error) else "signature"
            return RequestError(403, code, f"the call is not taken: {str(error).lower()}")
        except ValueError:  # the package splits and decodes what it is sent
            return RequestError(403, "signature", "the call is not taken: its signature cannot be read")
        return None
