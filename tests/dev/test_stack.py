"""The embedded stack on the real server: it starts, goes on where it stood, heals, and leaves nothing behind."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, select

from models.touches import Touch
from nurture.errors import SettingsError
from perennial.demo.run import fresh_folder
from perennial.dev.stack import Stack, embedded_stack
from perennial.platform.settings import Settings, load_settings
from tests.builders import consenting
from tests.paths import ROOT

WEEK_A_SECOND = 7 * 86_400.0
PATIENCE = 120.0


def settings_in(folder: Path) -> Settings:
    return load_settings(data_dir=folder, provider="database")


def quiet(_line: str) -> None:
    pass


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition; fail if it does not come."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.05)


async def enrol_ada(stack: Stack) -> None:
    inst = stack.inst
    now = inst.now()
    async with inst.database.writing() as session:
        session.add_all(consenting("l1", at=now))
    await inst.enroller.enrol("new-lead", "l1", now, "test")


async def touches(stack: Stack) -> int:
    async with stack.inst.database.reading() as session:
        return await session.scalar(select(func.count()).select_from(Touch).where(Touch.state == "accepted")) or 0


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """`starter.py` as a person runs it, in a terminal of its own."""
    command = [sys.executable, str(ROOT / "starter.py"), "--data-dir", str(folder), *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    """What it says, up to the line with these words."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it ended without {words!r}: {said}")


@pytest.fixture
def running(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """`starter.py dev`, up and running; killed at the end if a test has not stopped it."""
    process = start(tmp_path / "folder", "dev")
    try:
        read_until(process, "Ctrl-C stops everything")
        yield process
    finally:
        tree = _tree(process.pid)
        for one in tree:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.communicate(timeout=PATIENCE)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


async def test_a_stopped_stack_goes_on_where_it_stood(tmp_path: Path) -> None:
    """A lead enrolled in the first run gets its next mail in the second; nobody enrolls it again."""
    async with embedded_stack(settings_in(tmp_path), quiet, speed=WEEK_A_SECOND, edge=False) as stack:
        await stack.run(stack.worker.ready())
        await enrol_ada(stack)
        await until(lambda: _sent_at_least(stack, 1))
        before = await touches(stack)
    async with embedded_stack(settings_in(tmp_path), quiet, edge=False) as again:
        assert again.inst.clock.speed == WEEK_A_SECOND
        await again.run(until(lambda: _sent_at_least(again, before + 1)))


async def _sent_at_least(stack: Stack, count: int) -> bool:
    return await touches(stack) >= count


async def test_a_killed_worker_comes_back_and_the_server_stays(tmp_path: Path) -> None:
    """Its work goes on, the server is the same process, and a line says what happened."""
    said: list[str] = []
    async with embedded_stack(settings_in(tmp_path), said.append, speed=WEEK_A_SECOND, edge=False) as stack:
        await stack.run(stack.worker.ready())
        first = stack.worker.pid
        os.kill(first, signal.SIGKILL)
        await enrol_ada(stack)
        await stack.run(until(lambda: _sent_at_least(stack, 1)))
        assert stack.worker.pid != first
        assert psutil.pid_exists(stack.engine.pid)
        assert "the worker died (signal 9); starting it again" in said


async def test_the_clock_of_a_folder_cannot_change(tmp_path: Path) -> None:
    """The journeys in it carry deadlines by that clock."""
    async with embedded_stack(settings_in(tmp_path), quiet, speed=WEEK_A_SECOND, edge=False):
        pass
    with pytest.raises(SettingsError, match="clock runs at 1 week a second"):
        async with embedded_stack(settings_in(tmp_path), quiet, speed=60.0, edge=False):
            pass


async def test_a_worker_that_cannot_start_ends_the_stack_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a loop of restarts: settings that are wrong stay wrong."""
    settings = settings_in(tmp_path / "folder")
    (tmp_path / "folder").mkdir()
    log = tmp_path / "folder" / "worker.log"
    async with embedded_stack(settings, quiet, log=log, edge=False) as stack:
        monkeypatch.setenv("PERENNIAL_LOG_LEVEL", "loud")
        os.kill(await _pid_of(stack), signal.SIGKILL)
        with pytest.raises(SettingsError, match="PERENNIAL_LOG_LEVEL is not usable"):
            await stack.run(asyncio.Event().wait())


async def _pid_of(stack: Stack) -> int:
    await stack.run(stack.worker.ready())
    return stack.worker.pid


def test_ctrl_c_stops_everything_in_order(running: "subprocess.Popen[str]") -> None:
    """Exit code 0, a last line that says so, and none of its processes is left."""
    tree = _tree(running.pid)
    assert len(tree) == 6  # ours, the server, the worker, the mailbox, the web service and the relay
    os.kill(running.pid, signal.SIGINT)
    said, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0
    assert "worker: stopped" in said
    assert said.rstrip().endswith("stopped; the next start goes on from here")
    assert not any(one.is_running() for one in tree)


def test_nothing_outlives_a_killed_owner(running: "subprocess.Popen[str]") -> None:
    """Server and worker end by themselves when the process that started them is killed."""
    _, *children = _tree(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert alive == []


def test_a_second_start_on_a_folder_is_refused(running: "subprocess.Popen[str]", tmp_path: Path) -> None:
    """One line with the way out, exit code 4, and the first runs on."""
    second = start(tmp_path / "folder", "dev")
    said, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 4
    assert "is in use by process" in said
    assert "Traceback" not in said
    assert running.poll() is None


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    """With the option to choose another, and exit code 4."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = start(tmp_path, "dev", "--port", str(listener.getsockname()[1]))
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4
    assert "cannot be used" in said
    assert "--port" in said


def test_a_worker_refuses_a_database_that_is_not_set_up(tmp_path: Path) -> None:
    """One line with the remedy, exit code 4."""
    environment = {**os.environ, "PERENNIAL_DATA_DIR": str(tmp_path)}
    command = [sys.executable, str(ROOT / "worker.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 4
    assert "the database is not set up" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_worker_waits_for_a_server_and_says_so(sqlite_template: Path, tmp_path: Path) -> None:
    """It neither dies nor is silent; told to stop, it stops at once."""
    (tmp_path / "perennial.db").write_bytes(sqlite_template.read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as closing:
        nobody = f"127.0.0.1:{closing.getsockname()[1]}"
    environment = {**os.environ, "PERENNIAL_DATA_DIR": str(tmp_path), "TEMPORAL_ADDRESS": nobody}
    command = [sys.executable, str(ROOT / "worker.py")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert f"waiting: no Temporal server answers at {nobody}" in read_until(process, "waiting")
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_small_demo_keeps_its_own_rules_and_its_counts_agree(tmp_path: Path) -> None:
    """Twelve leads and a month of them, from the command line to the summary, in JSON."""
    process = start(tmp_path, "demo", "--leads", "12", "--months", "1", "--speed", "3d/s", "--json")
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    told = json.loads(said[said.index("{\n") :])
    assert told["violations"] == []
    assert told["checked_touches"] >= told["sent"] > 0
    assert told["leads"] == 12
    standing = sum(sum(places.values()) for places in told["standing"].values())
    assert standing == told["enrolled"]
    assert told["enrolled"] >= 12 - sum(told["not_enrolled"].values())
    assert 0 < told["running"] <= told["enrolled"]
    assert told["touched"] <= told["sent"]
    assert _tree(process.pid) == []


def test_a_demo_empties_only_a_folder_that_is_a_demos(tmp_path: Path) -> None:
    """What it has made goes, with the ports kept; anything else stays and is a reason to stop."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("mine")
    with pytest.raises(SettingsError, match="not a demo's"):
        fresh_folder(theirs)
    assert (theirs / "thesis.txt").read_text() == "mine"
    fresh_folder(tmp_path / "ours")
    (tmp_path / "ours" / "perennial.db").write_text("old")
    fresh_folder(tmp_path / "ours")
    assert [entry.name for entry in (tmp_path / "ours").iterdir()] == ["engine.lock"]
