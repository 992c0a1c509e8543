"""The Event Webhook: signed calls to the one endpoint, as SendGrid makes them, with its bad habits on request.

Signature: ECDSA on P-256 with SHA-256 over the timestamp and the raw body, base64 of the DER form; the public key is
shown as base64 of its DER form (SendGrid, "Event Webhook security features"). The body is a JSON array that ends in
CRLF. Anything but a 2xx is sent again: SendGrid goes on for 24 hours, so does this, only sooner at first.
"""

import asyncio
import base64
import json
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict, Field

from perennial.mailroom.events import new_event_id
from perennial.mailroom.store import Happened, Store

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_GIVE_UP = 24 * 3600.0


class Manners(BaseModel):
    """How the webhook behaves.

    A call carries at most `batch` events and waits `gather` seconds for more. With the chance `duplicate` an event is
    told once more, in a later call and, if `fresh_ids`, under another `sg_event_id`. `shuffle` loses the order.
    While `paused` nothing is told.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch: int = Field(default=1000, ge=1, le=10_000)
    gather: float = Field(default=0.05, ge=0, le=60)
    duplicate: float = Field(default=0.0, ge=0, le=1)
    shuffle: bool = False
    fresh_ids: bool = False
    paused: bool = False
    seed: int = 0


class Signer:
    """Signs with a key pair that is made once and kept."""

    def __init__(self, store: Store) -> None:
        made = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key = serialization.load_pem_private_key(store.keep("webhook_key", made.decode()).encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the kept webhook key is of another kind")
        self._key = key

    @property
    def public_key(self) -> str:
        """The verification key, as SendGrid shows it."""
        der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(der).decode()

    def headers(self, body: bytes) -> dict[str, str]:
        """The headers of a call with this body."""
        timestamp = str(int(time.time()))
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {SIGNATURE_HEADER: base64.b64encode(signature).decode(), TIMESTAMP_HEADER: timestamp}


class Webhook:
    """Tells the endpoint at `url` what happened, from the store, until cancelled; without a `url` nobody is told."""

    def __init__(self, store: Store, signer: Signer, url: str | None, manners: Manners) -> None:
        self.url = url
        self.signer = signer
        self._store = store
        self._manners = manners
        self._dice = random.Random(manners.seed)
        self._again: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    @property
    def manners(self) -> Manners:
        """How it behaves now."""
        return self._manners

    @manners.setter
    def manners(self, manners: Manners) -> None:
        self._manners = manners
        self._dice = random.Random(manners.seed)
        self.news()

    def news(self) -> None:
        """Something happened, or the manners changed."""
        self._news.set()

    async def run(self) -> None:
        """Call, for ever."""
        while True:
            self._news.clear()
            if self._manners.paused or not self.url or not await self._call(self.url):
                await self._rest()

    async def _rest(self) -> None:
        waiting, due = self._store.waiting()
        idle = self._manners.paused or not self.url or not waiting
        pause = None if idle or due is None else max(due - time.time(), 0.01)
        if self._again and not self._manners.paused:
            pause = min(pause or _FIRST_PAUSE, _FIRST_PAUSE)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._news.wait()
        await asyncio.sleep(self._manners.gather)

    async def _call(self, url: str) -> bool:
        """One call, if there is anything to tell; whether it was taken."""
        manners, now = self._manners, time.time()
        events = self._store.untold(now, manners.batch)
        again, self._again = self._again, []
        if not events and not again:
            return False
        bodies = [event.body for event in events] + again
        if manners.shuffle:
            self._dice.shuffle(bodies)
        if not await self._post(url, bodies):
            self._again = again
            self._put_off(events, now)
            return False
        self._store.told([event.seq for event in events])
        self._again = [self._once_more(event) for event in events if self._dice.random() < manners.duplicate]
        return True

    def _once_more(self, event: Happened) -> dict[str, Any]:
        return {**event.body, "sg_event_id": new_event_id()} if self._manners.fresh_ids else event.body

    def _put_off(self, events: Sequence[Happened], now: float) -> None:
        if not events:
            return
        tries = max(event.tries for event in events)
        pause = min(_FIRST_PAUSE * 2 ** min(tries, 16), _LONGEST_PAUSE)
        hopeless = [event.seq for event in events if event.tries * _LONGEST_PAUSE > _GIVE_UP]
        self._store.told(hopeless)
        self._store.put_off([event.seq for event in events], now + pause)

    async def _post(self, url: str, bodies: Sequence[dict[str, Any]]) -> bool:
        raw = json.dumps(list(bodies), separators=(",", ":"), ensure_ascii=False).encode() + b"\r\n"
        headers = {"Content-Type": "application/json", "User-Agent": "SendGrid Event API", **self.signer.headers(raw)}
        try:
            status = await asyncio.to_thread(post, url, raw, headers)
        except (OSError, HTTPException, ValueError):
            return False
        return 200 <= status < 300


def post(url: str, body: bytes, headers: dict[str, str], timeout: float = 10.0) -> int:
    """The status that a POST is answered with; it follows no redirect. Raises OSError, HTTPException, ValueError."""
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=timeout)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read(1_000_000)
        return answer.status
    finally:
        connection.close()
