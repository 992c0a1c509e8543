"""Verify that the CRM made a webhook call, by Standard Webhooks.

Nothing here raises for what a stranger sends: `fault` returns the `RequestError` to raise, or None.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from standardwebhooks import Webhook, WebhookVerificationError

from perennial.web.errors import RequestError


@dataclass(frozen=True)
class StandardSignature:
    """https://www.standardwebhooks.com: HMAC-SHA256 over id, timestamp and body; good for five minutes."""

    webhooks: Sequence[Webhook]

    @classmethod
    def of(cls, secrets: Sequence[str]) -> "StandardSignature | None":
        """From the shared secrets, `whsec_...`, which the settings have checked. None without a secret."""
        return cls([Webhook(padded(secret)) for secret in secrets]) if secrets else None

    def fault(self, headers: Mapping[str, str], body: bytes) -> RequestError | None:
        """What is wrong with the signature; None if nothing is."""
        readable = " ".join(filter(_is_readable, headers.get("webhook-signature", "").split()))
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        if not all(headers.get(name) for name in names):
            return RequestError(401, "signature_missing", f"send {', '.join(names)} as Standard Webhooks asks for")
        signed = {**{name: headers[name] for name in names}, "webhook-signature": readable}
        faults = [self._fault(webhook, signed, body) for webhook in self.webhooks]
        return None if None in faults else faults[0]

    def _fault(self, webhook: Webhook, headers: dict[str, str], body: bytes) -> RequestError | None:
        try:
            webhook.verify(body, headers, json_parse=False)
        except WebhookVerificationError as error:
            code = "stale" if "too" in str(error) else "signature"
            return RequestError(403, code, f"the call is not taken: {str(error).lower()}")
        except ValueError:  # the package splits and decodes what it is sent
            return RequestError(403, "signature", "the call is not taken: its signature cannot be read")
        return None


def padded(secret: str) -> str:
    """A secret with the `=` at its end that base64 asks for, and that many leave out."""
    key = secret.removeprefix("whsec_").rstrip("=")
    return f"whsec_{key}{'=' * (-len(key) % 4)}"


def _is_readable(signature: str) -> bool:
    """Whether one of the signatures of a header is `version,base64`; another may be right all the same."""
    version, comma, value = signature.partition(",")
    try:
        return bool(version and comma and base64.b64decode(value, validate=True))
    except ValueError:
        return False
