"""The compose file's services as local processes: its commands and variables, on a real PostgreSQL and Temporal server.

Only the places differ: where the database and Temporal are, and on which port the web service listens.
"""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from perennial.dev.embedded import embedded_engine
from tests.paths import ROOT

PATIENCE = 60.0
OMAR = "omar.alsayed@birchfieldoutfitters.example"
"""A lead of the shipped sample."""


@dataclass(frozen=True)
class Services:
    """The services of the compose file, with its hosts read as `places`."""

    file: Mapping[str, Any]
    places: Mapping[str, str]

    def command(self, service: str, *words: str) -> list[str]:
        """What a service runs, with this Python."""
        described = self.file["services"][service]
        said = [*described.get("entrypoint", []), *(words or described.get("command", []))]
        return [sys.executable, *map(self._placed, said[1:])]

    def check(self, service: str) -> list[str]:
        """A service's health check."""
        _, *said = self.file["services"][service]["healthcheck"]["test"]
        return [sys.executable, *map(self._placed, said[1:])]

    def environment(self, service: str) -> dict[str, str]:
        """A service's variables, each with its default."""
        given = self.file["services"][service]["environment"]
        read = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for name, value in given.items()}
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("PERENNIAL_", "TEMPORAL_"))}
        return ours | {name: self._placed(value) for name, value in read.items()}

    def _placed(self, text: str) -> str:
        for there, here in self.places.items():
            text = text.replace(there, here)
        return text

    def run(self, service: str, *words: str) -> str:
        """Run a service that ends; what it said. Fails if it does not end well."""
        done = subprocess.run(
            self.command(service, *words),
            cwd=ROOT,
            env=self.environment(service),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{service} {words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, *names: str) -> Iterator[None]:
        """Keep services running; at the end each stops by itself when told to, as `docker compose stop` does."""
        with ExitStack() as stack:
            started = [
                stack.enter_context(
                    subprocess.Popen(self.command(name), cwd=ROOT, env=self.environment(name), stdin=subprocess.DEVNULL)
                )
                for name in names
            ]
            try:
                yield
            finally:
                for process in started:
                    process.send_signal(signal.SIGTERM)
                codes = [process.wait(timeout=PATIENCE) for process in started]
            assert codes == [0] * len(started)


@pytest.fixture
async def services(database_url: str, tmp_path: Path) -> AsyncIterator[Services]:
    """The file's services, on a new PostgreSQL database and a Temporal server of their own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    async with embedded_engine(tmp_path) as engine:
        yield Services(
            file,
            {
                "postgresql://perennial:perennial@database:5432/perennial": database_url,
                "temporal:7233": engine.address,
                "/tmp/alive": str(tmp_path / "alive"),  # noqa: S108 - as the file says, inside a container
                "0.0.0.0": "127.0.0.1",  # noqa: S104 - what the file says, inside a container
                "8000": str(port),
            },
        )


def eventually(done: Callable[[], bool]) -> None:
    """Ask until it is so."""
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until, "it never came about"


@pytest.mark.parametrize("backend", ["postgresql"])
async def test_a_lead_comes_in_is_enrolled_and_its_visit_reaches_its_journey(services: Services) -> None:
    """Migrate, worker, web and relay; then what a newcomer types, and what a website sends."""
    services.run("migrate")
    with services.running("worker", "web", "relay"):
        for name in ("worker", "web", "relay"):
            eventually(partial(_is_healthy, services, name))
        services.run("cli", "import", "sample/leads.csv", "--map", "sample/mapping.toml")
        key = services.run("cli", "keys", "create", "website", "--scope", "ingest").strip()
        services.run("cli", "enrol", "new-lead", "--lead", OMAR)
        _views_pricing(services, key)
        eventually(lambda: "/pricing" in services.run("cli", "show", OMAR))
        told = json.loads(services.run("cli", "show", OMAR, "--json"))
    assert "new-lead" in json.dumps(told)
    assert not _is_healthy(services, "worker")


def _is_healthy(services: Services, name: str) -> bool:
    return subprocess.run(services.check(name), check=False, capture_output=True, timeout=PATIENCE).returncode == 0


def _views_pricing(services: Services, key: str) -> None:
    said = base64.b64encode(f"{key}:".encode()).decode()
    events: Sequence[Mapping[str, Any]] = [
        {"type": "identify", "messageId": "m1", "anonymousId": "a1", "traits": {"email": OMAR}},
        {"type": "page", "messageId": "m2", "anonymousId": "a1", "properties": {"path": "/pricing"}},
    ]
    answer = httpx2.post(
        f"http://127.0.0.1:{services.places['8000']}/v1/batch",
        json={"batch": events},
        headers={"Authorization": f"Basic {said}"},
    )
    assert answer.status_code == 200, answer.text
