"""kill -9 under load: whatever was answered 2xx is in the database, and what was not can be sent again."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.paths import ROOT
from tests.web.serving import SENDGRID_KEY, Service, Switch, click, wait_until
from tests.web.stored import Store

BATCH = 50
KILLS = 3
SENDERS = 4


@contextmanager
def web_process(url: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The web service as a process of its own, and its address; killed at the end of the block."""
    environment = os.environ | {
        "PERENNIAL_DATABASE_URL": url,
        "PERENNIAL_DATA_DIR": str(folder),
        "PERENNIAL_SENDGRID_WEBHOOK_KEY": SENDGRID_KEY,
    }
    run = "import typer; from perennial.cli.web import web; typer.run(web)"
    process = subprocess.Popen(
        [sys.executable, "-c", run, "--port", "0"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("web: listening on http"), line
        yield process, line.split()[-1]
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


class Senders:
    """Threads that post numbered batches, each until it is answered, as SendGrid would; `answered` are the numbers."""

    def __init__(self) -> None:
        self.address = ""
        self.answered: list[int] = []
        self.failures = 0
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        number = next(self._numbers)
        while not self._stop.is_set():
            try:
                with httpx2.Client(base_url=self.address, timeout=20) as client:
                    service = Service(self.address, {}, Switch(), client)
                    while not self._stop.is_set():
                        if service.sendgrid(batch(number)).status_code == 200:
                            self.answered.append(number)
                            number = next(self._numbers)
            except httpx2.HTTPError:
                self.failures += 1
                self._stop.wait(0.05)


def batch(number: int) -> list[dict[str, object]]:
    return [click(n) for n in range(number * BATCH, (number + 1) * BATCH)]


def test_what_was_answered_survives_a_kill(migrated_url: str, store: Store, tmp_path: Path) -> None:
    """Three kills in the middle of four senders' work; then every answered batch is there, whole, and once."""
    senders = Senders()
    kills = []
    try:
        for kill in range(KILLS):
            with web_process(migrated_url, tmp_path) as (process, address):
                senders.address = address
                if kill == 0:
                    senders.start()
                before = len(senders.answered)
                wait_until(lambda before=before: len(senders.answered) >= before + 20)  # type: ignore[misc]
                process.send_signal(signal.SIGKILL)
                kills.append(process.wait())
    finally:
        senders.stop()

    stored = [event.event_id for event in store.events()]
    promised = {f"click-{n}" for number in senders.answered for n in range(number * BATCH, (number + 1) * BATCH)}
    assert kills == [-signal.SIGKILL] * KILLS
    assert senders.failures > 0
    assert len(promised) >= KILLS * 20 * BATCH
    assert promised <= set(stored)
    assert len(stored) == len(set(stored))
    assert len(stored) % BATCH == 0, "half a batch was stored"


def test_a_stop_in_order_finishes_what_is_in_flight(migrated_url: str, store: Store, tmp_path: Path) -> None:
    """SIGTERM under load: the process ends by itself with code 0, and every answer was true."""
    senders = Senders()
    try:
        with web_process(migrated_url, tmp_path) as (process, address):
            senders.address = address
            senders.start()
            wait_until(lambda: len(senders.answered) >= 10)
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
    finally:
        senders.stop()

    stored = {event.event_id for event in store.events()}
    assert code == 0
    assert {f"click-{n}" for number in senders.answered for n in range(number * BATCH, (number + 1) * BATCH)} <= stored


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_port_that_is_taken_is_named_with_the_remedy(migrated_url: str, store: Store, tmp_path: Path) -> None:
    """One line, exit code 4, and the first service goes on."""
    with web_process(migrated_url, tmp_path) as (_, address):
        port = address.rpartition(":")[2]
        run = "from perennial.cli.app import app; from perennial.cli.web import web; app.command('web')(web); app()"
        second = subprocess.run(
            [sys.executable, "-c", run, "web", "--port", port],
            cwd=ROOT,
            env=os.environ | {"PERENNIAL_DATABASE_URL": migrated_url, "PERENNIAL_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert httpx2.get(f"{address}/healthz").status_code == 200

    assert second.returncode == 4
    assert f"port {port}" in second.stderr
    assert "PERENNIAL_WEB_PORT" in second.stderr
