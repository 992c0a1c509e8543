"""The Event Webhook: signed calls to one endpoint, as SendGrid makes them; with its bad habits, on request.

Signature: ECDSA on P-256 with SHA-256 over the timestamp and the raw body, base64 of its DER form; the public key is
base64 of its DER form too (SendGrid, "Event Webhook security features"). The body is a JSON array that ends in CRLF.
Whatever is not answered 2xx is sent again for 24 hours, as SendGrid does, only sooner at first.
"""

import asyncio
import base64
import json
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict, Field

from perennial.mailroom.events import new_event_id
from perennial.mailroom.exchange import FAILURES, exchange
from perennial.mailroom.store import LetterEvent, Store

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"

CALL_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_GIVE_UP = 24 * 3600.0


class Manners(BaseModel):
    """How the webhook behaves.

    A call has at most `batch` events, and waits `gather` seconds for more. An event is sent twice with the chance
    `duplicate`: again in a later call and, with `fresh_ids`, under another `sg_event_id`. `shuffle` loses the order.
    `paused` sends nothing.
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
    """Signs with a key pair that is made once, and stored."""

    def __init__(self, store: Store) -> None:
        made = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key = serialization.load_pem_private_key(store.keep("webhook_key", made.decode()).encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the stored webhook key is of another kind")
        self._key = key

    @property
    def public_key(self) -> str:
        """The key that verifies signatures, as SendGrid shows it."""
        der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(der).decode()

    def headers(self, body: bytes) -> dict[str, str]:
        """The signature headers of a call with this body."""
        timestamp = str(int(time.time()))
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {SIGNATURE_HEADER: base64.b64encode(signature).decode(), TIMESTAMP_HEADER: timestamp}


class Webhook:
    """Calls the endpoint at `url` with the events in the store, until cancelled; without a `url`, nobody."""

    def __init__(self, store: Store, signer: Signer, url: str | None, manners: Manners) -> None:
        self.url = url
        self.signer = signer
        self._store = store
        self._manners = manners
        self._dice = random.Random(manners.seed)
        self._again: list[dict[str, Any]] = []
        self._woken = asyncio.Event()

    @property
    def manners(self) -> Manners:
        """How the webhook behaves now."""
        return self._manners

    @manners.setter
    def manners(self, manners: Manners) -> None:
        self._manners = manners
        self._dice = random.Random(manners.seed)
        self.wake()

    def wake(self) -> None:
        """Wake up: there is a new event, or the manners changed."""
        self._woken.set()

    async def run(self) -> None:
        """Call until cancelled."""
        while True:
            self._woken.clear()
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
                await self._woken.wait()
        await asyncio.sleep(self._manners.gather)

    async def _call(self, url: str) -> bool:
        """Make one call, if an event is due; whether it was taken."""
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

    def _once_more(self, event: LetterEvent) -> dict[str, Any]:
        return {**event.body, "sg_event_id": new_event_id()} if self._manners.fresh_ids else event.body

    def _put_off(self, events: Sequence[LetterEvent], now: float) -> None:
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
            answer = await asyncio.to_thread(exchange, "POST", url, raw, headers, timeout=CALL_SECONDS)
        except FAILURES:
            return False
        return answer.is_success
