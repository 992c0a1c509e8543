"""Verify that the CRM made a webhook call, by Standard Webhooks.

Nothing here raises for what a stranger sends: `fault` returns the `RequestError` to raise, or None.
"""

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
        return cls([Webhook(secret) for secret in secrets]) if secrets else None

    def fault(self, headers: Mapping[str, str], body: bytes) -> RequestError | None:
        """What is wrong with the signature; None if nothing is."""
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        if not all(headers.get(name) for name in names):
            return RequestError(401, "signature_missing", f"send {', '.join(names)} as Standard Webhooks asks for")
        faults = [self._fault(webhook, {name: headers[name] for name in names}, body) for webhook in self.webhooks]
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
