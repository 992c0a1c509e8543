"""A web service for tests: the real application behind a real uvicorn on loopback, in a thread of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks import Webhook

from nurture.timing.clock import Clock
from perennial.access.keys import create_key
from perennial.app.run_web import Server, address_of, listening
from perennial.app.web import create_app
from perennial.integrations.sendgrid.signature import SIGNATURE, TIMESTAMP
from perennial.platform.database import Database
from perennial.platform.settings import Settings
from perennial.web.edge import Edge
from perennial.web.limits import Limits

CRM_SECRET = "whsec_" + base64.b64encode(b"a secret of a CRM, 24 bytes+").decode()
PRIVATE_KEY = ec.generate_private_key(ec.SECP256R1())
SENDGRID_KEY = base64.b64encode(
    PRIVATE_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
_PATIENCE = 20.0


@dataclass
class Switch:
    """A Temporal that answers or does not, as the test says."""

    up: bool = True

    async def answers(self) -> bool:
        return self.up


@dataclass(frozen=True)
class Service:
    """A web service that runs. `keys` are API keys by scope."""

    url: str
    keys: dict[str, str]
    temporal: Switch
    client: httpx2.Client = field(repr=False)

    def sendgrid(self, events: Any, **headers: str) -> httpx2.Response:
        """Post a batch as SendGrid does: signed, with its CRLF."""
        body = events if isinstance(events, bytes) else json.dumps(events).encode() + b"\r\n"
        return self.client.post("/webhooks/sendgrid", content=body, headers=signed(body) | headers)

    def crm(self, event: Any, webhook_id: str = "msg_1", secret: str = CRM_SECRET, **headers: str) -> httpx2.Response:
        """Post an event as Standard Webhooks asks."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        return self.client.post("/webhooks/crm", content=body, headers=standard(body, webhook_id, secret) | headers)

    def segment(self, path: str, message: Any, key: str | None = None, **headers: str) -> httpx2.Response:
        """Post to Segment's API with a key's name as user and no password."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        auth = (key or self.keys["ingest"], "")
        return self.client.post(path, content=body, auth=auth, headers={"content-type": "application/json"} | headers)


def signed(body: bytes, at: datetime | None = None, key: ec.EllipticCurvePrivateKey = PRIVATE_KEY) -> dict[str, str]:
    """SendGrid's headers over a body."""
    timestamp = str(int((at or datetime.now(UTC)).timestamp()))
    signature = key.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    return {
        SIGNATURE: base64.b64encode(signature).decode(),
        TIMESTAMP: timestamp,
        "content-type": "application/json",
    }


def standard(body: bytes, webhook_id: str = "msg_1", secret: str = CRM_SECRET) -> dict[str, str]:
    """Standard Webhooks' headers over a body."""
    now = datetime.now(UTC)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, body.decode("utf-8", "replace")),
        "content-type": "application/json",
    }


@contextmanager
def serving(url: str, **settings: Any) -> Iterator[Service]:
    """A service over a migrated database, with a key for each scope; stopped at the end of the block."""
    started: Future[tuple[str, dict[str, str], uvicorn.Server]] = Future()
    temporal = Switch()
    given = {"sendgrid_webhook_key": SENDGRID_KEY, "crm_webhook_secret": CRM_SECRET, "rate_limit": 1e6} | settings
    configured = Settings(database_url=url, **given)

    async def serve() -> None:
        database = Database(url)
        try:
            async with database.writing() as session:
                made = [
                    await create_key(session, f"{scope}-{secrets.token_hex(3)}", [scope], datetime.now(UTC))
                    for scope in ("browser", "ingest", "marketing", "support", "admin")
                ]
            edge = Edge(configured, database, Clock.production(), temporal, Limits(configured.rate_limit))
            server = Server(uvicorn.Config(create_app(edge), log_config=None, access_log=False, lifespan="off"))
            with listening("127.0.0.1", 0) as sock:
                started.set_result((address_of(sock), {key.scopes[0]: key.text for key in made}, server))
                await server.serve(sockets=[sock])
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise
        finally:
            await database.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="web")
    thread.start()
    address, keys, server = started.result(_PATIENCE)
    try:
        with httpx2.Client(base_url=address, timeout=_PATIENCE) as client:
            yield Service(address, keys, temporal, client)
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)
        assert not thread.is_alive(), "the web service did not stop"


def click(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A click as SendGrid reports it."""
    return {
        "event": "click",
        "email": "ada@example.com",
        "timestamp": 1772366400 + number,
        "sg_event_id": f"click-{number}",
        "sg_message_id": f"m{number}.filter0001.16648.5515E0B88.0",
        "url": "https://example.com/guide",
        "perennial_touch_id": "t1",
        "category": ["new-lead", "welcome"],
    } | changes


def wait_until(happened: Any, patience: float = _PATIENCE) -> None:
    """Return once `happened()` is true; fail after `patience` seconds."""
    until = time.monotonic() + patience
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        threading.Event().wait(0.02)


LONG_AGO = timedelta(hours=26)
