"""A real mailbox process for tests, and a receiver for what it tells."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from nurture.errors import SettingsError
from perennial.mailroom.client import MailboxClient
from tests.paths import ROOT

PATIENCE = 20.0


@dataclass
class Running:
    """A mailbox process."""

    url: str
    process: subprocess.Popen[str]
    client: MailboxClient

    def await_back(self) -> None:
        """Return once it answers again."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                self.client.faults()
            except SettingsError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("the mailbox did not come back")

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(data_dir: Path, *options: str) -> Iterator[Running]:
    """A mailbox on this folder, on a port of its own choice, stopped in the end."""
    command = [sys.executable, "-m", "perennial.mailroom", "--data-dir", str(data_dir), "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline().split()
            assert said[:1] == ["mailbox"], f"the mailbox did not start: {said}"
            yield Running(said[1], process, MailboxClient(said[1]))
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()


@dataclass(frozen=True)
class Call:
    """One request that the receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    def events(self) -> list[dict[str, Any]]:
        """The events of a webhook call."""
        found: list[dict[str, Any]] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """An endpoint that keeps what it gets, and answers with the statuses it was given, then with 204."""

    url: str
    calls: list[Call] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def got(self, call: Call) -> int:
        """Keep a call; the status to answer."""
        with self._news:
            self.calls.append(call)
            self._news.notify_all()
            return self.statuses.pop(0) if self.statuses else 204

    def until(self, enough: Callable[[list[Call]], bool]) -> list[Call]:
        """The calls, once they are enough."""
        with self._news:
            assert self._news.wait_for(lambda: enough(self.calls), PATIENCE), f"only {len(self.calls)} calls came"
            return list(self.calls)

    def events(self, count: int, **fields: object) -> list[dict[str, Any]]:
        """That many events with these fields, in the order in which they were told."""

        def found(calls: list[Call]) -> list[dict[str, Any]]:
            every = [event for call in calls for event in call.events()]
            return [event for event in every if all(event.get(name) == value for name, value in fields.items())]

        return found(self.until(lambda calls: len(found(calls)) >= count))


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a port of its own."""

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.got(Call(self.path, dict(self.headers), body)))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
