"""Standard Webhooks as CRMs send them, spelled in every way that is right."""

from base64 import b64encode
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from perennial.integrations.crm.signature import StandardSignature

SECRET = f"whsec_{b64encode(b'twenty-five bytes of them').decode()}"
BODY = b'{"type":"deal.won"}'


def headers(before: str = "", after: str = "") -> dict[str, str]:
    now = datetime.now(UTC)
    right = Webhook(SECRET).sign("msg_1", now, BODY.decode())
    signed = " ".join(filter(None, (before, right, after)))
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signed}


@pytest.mark.parametrize("secret", [SECRET, SECRET.rstrip("="), SECRET.removeprefix("whsec_").rstrip("=")])
def test_a_secret_may_be_written_without_its_padding(secret: str) -> None:
    """Many key generators leave it out."""
    assert SECRET.endswith("=")
    signature = StandardSignature.of([secret])
    assert signature is not None
    assert signature.fault(headers(), BODY) is None


@pytest.mark.parametrize("other", ["v1", "nonsense", "v1,", "v1,%%%", "v1,abc", "v1a,AAAA", "v2,AAAA", ",AAAA", "ü,ü"])
def test_a_malformed_signature_beside_a_right_one_does_no_harm(other: str) -> None:
    """Before it and behind it; alone it is refused."""
    signature = StandardSignature.of([SECRET])
    assert signature is not None
    assert signature.fault(headers(before=other), BODY) is None
    assert signature.fault(headers(after=other), BODY) is None
    refused = signature.fault(headers() | {"webhook-signature": other}, BODY)
    assert refused is not None
    assert refused.status == 403
