"""`starter.py dev` as a person starts it, the command line beside it, and the system's Chromium to look with."""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from playwright.sync_api import BrowserContext, expect, sync_playwright

from tests.paths import ROOT

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# As the browser of a person calls itself: a headless one says so, and its clicks would count as a machine's.
PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
SPEED = "6h/s"
PATIENCE = 120.0
"""Seconds within which anything here happens, a long weekend of the journeys' clock included."""


@dataclass(frozen=True)
class Dev:
    """A `dev` that runs: where to look, and its data folder."""

    data_dir: Path
    temporal_ui: str
    inbox: str

    def starter(self, *words: str, code: int = 0) -> str:
        """What a command says to a person in another terminal; its exit code is held to `code`."""
        done = subprocess.run(
            [sys.executable, "starter.py", "--data-dir", str(self.data_dir), *words],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def json(self, *words: str) -> Any:
        """The JSON document that a command answers with."""
        return json.loads(self.starter(*words, "--json"))


def environment() -> dict[str, str]:
    """Ours without any setting of an installation: a newcomer's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PERENNIAL_", "TEMPORAL_"))}


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    """`starter.py dev` on a new folder, with a fast clock; ended by Ctrl-C, in order."""
    command = [sys.executable, "starter.py", "--data-dir", str(tmp_path), "dev", "--speed", SPEED]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines: queue.Queue[str | None] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process.stdout, lines))
        reader.start()
        try:
            banner = _until(lines, "Ctrl-C stops everything.")
            yield Dev(tmp_path, _address(banner, "Temporal UI"), _address(banner, "inbox"))
            process.send_signal(signal.SIGINT)
            code = process.wait(PATIENCE)
            reader.join()
            rest = _until(lines, "the next start goes on from here")
            assert code == 0, rest
            assert "Traceback" not in rest
        finally:
            if process.poll() is None:
                process.terminate()  # it ends its children too
                process.wait(PATIENCE)
            reader.join()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the system's Chromium is."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        pytest.fail("no Chromium on this machine: install it, such as by `apt-get install chromium`", pytrace=False)
    return found


@pytest.fixture
def browser(chromium: str) -> Iterator[BrowserContext]:
    """A person's browser: no cookies, an ordinary window."""
    expect.set_options(timeout=PATIENCE * 1000)
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"] if as_root else [])
        context = program.new_context(user_agent=PERSON, viewport={"width": 1280, "height": 900}, locale="en-GB")
        context.set_default_timeout(PATIENCE * 1000)
        yield context
        context.close()
        program.close()


def _read(output: IO[str], lines: "queue.Queue[str | None]") -> None:
    for line in output:
        lines.put(line)
    lines.put(None)


def _until(lines: "queue.Queue[str | None]", last: str) -> str:
    said = ""
    while last not in said:
        try:
            line = lines.get(timeout=PATIENCE)
        except queue.Empty:
            line = None
        assert line is not None, f"`dev` did not say {last!r}, but:\n{said}"
        said += line
    return said


def _address(banner: str, name: str) -> str:
    found = re.search(rf"^ *{name} +(http://\S+)$", banner, re.MULTILINE)
    assert found is not None, banner
    return found[1]
