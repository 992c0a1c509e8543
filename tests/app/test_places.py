"""No send waits between the gate's judgement and the provider."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from perennial.app.providers import open_provider
from perennial.channels.ports import Envelope
from perennial.platform.database import Database
from perennial.platform.settings import load_settings

MAIL = Envelope(
    "tc1", "ld1", "ada@reader.example", "Maya", "maya@northwind.example", "maya@northwind.example",
    "S", "T", "<p>H</p>", ("new-lead",), datetime(2026, 1, 5, 9, tzinfo=UTC),
)  # fmt: skip


async def test_as_many_requests_leave_at_once_as_a_worker_may_be_at(tmp_path: Path) -> None:
    """A slow provider answers none of them until all have arrived."""
    arrived, all_there = [], Event()

    class Slow(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            arrived.append(1)
            if len(arrived) == 30:
                all_there.set()
            all_there.wait(30)
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    Thread(target=server.serve_forever, daemon=True).start()
    settings = load_settings(
        data_dir=tmp_path,
        provider="mailbox",
        mailbox_url=f"http://127.0.0.1:{server.server_port}",
        max_concurrent_activities=15,
        max_concurrent_local_activities=15,
    )
    database = Database(settings.database_url)
    try:
        with open_provider(settings, database) as provider:
            sends = (provider.send(replace(MAIL, touch_id=f"tc{number}")) for number in range(30))
            assert len(await asyncio.gather(*sends)) == 30
    finally:
        await database.close()
        server.shutdown()
        server.server_close()
