"""The embedded engine, on the real server: one owner at a time, the same place each time, nothing lost."""

import asyncio
import http.client
import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from models.visibility import OUTCOME, PAUSED, SCORE_BAND, STAGE, STEP
from nurture.errors import SettingsError
from perennial.dev.embedded import embedded_engine
from perennial.dev.engine_lock import RunningEngine, running_engine
from perennial.dev.temporal_server import temporal_binary
from perennial.platform.temporal import connect, ensure_search_attributes
from tests.paths import ROOT

OWNER = """
import asyncio, json, sys
from pathlib import Path
from perennial.dev.embedded import embedded_engine
from perennial.platform.temporal import connect

async def own():
    async with embedded_engine(Path(sys.argv[1])) as engine:
        print(json.dumps([engine.pid, engine.address]), flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await connect(engine.address)
            print("the engine outlived the interrupt", flush=True)

asyncio.run(own())
"""
ORPHAN = """
import fcntl, signal, sys
log = open(sys.argv[1], "ab")
fcntl.flock(log, fcntl.LOCK_EX)
print("locked", flush=True)
signal.pause()
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


async def test_it_starts_on_the_loopback_with_server_and_ui_answering(tmp_path: Path) -> None:
    """What is yielded can be used at once, and the server is a child in a process group of its own."""
    async with embedded_engine(tmp_path / "new" / "folder") as engine:
        await connect(engine.address)
        host, _, port = engine.ui_url.removeprefix("http://").partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()
        listening = [c for c in psutil.Process(engine.pid).net_connections() if c.status == "LISTEN"]
        assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
        assert os.getpgid(engine.pid) != os.getpgid(0)
    assert not psutil.pid_exists(engine.pid)


async def test_search_attributes_are_made_once_and_usable_at_once(tmp_path: Path) -> None:
    """Asking again changes nothing, and a workflow that carries all of them is found by all of them."""
    async with embedded_engine(tmp_path) as engine:
        client = await connect(engine.address)
        await ensure_search_attributes(client)
        await ensure_search_attributes(client)
        await client.start_workflow(
            "new-lead",
            id="new-lead/1",
            task_queue="nobody-listens",
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(STAGE, "awareness"),
                    SearchAttributePair(SCORE_BAND, "cold"),
                    SearchAttributePair(STEP, "send:welcome"),
                    SearchAttributePair(OUTCOME, "none"),
                    SearchAttributePair(PAUSED, value=False),
                ]
            ),
        )
        query = (
            "Stage = 'awareness' AND ScoreBand = 'cold' AND Step = 'send:welcome' AND Outcome = 'none' "
            "AND Paused = false"
        )
        async with asyncio.timeout(20):
            while (await client.count_workflows(query)).count != 1:  # visibility is written a moment later
                await asyncio.sleep(0)


async def test_an_attribute_that_means_something_else_is_refused(tmp_path: Path) -> None:
    """A namespace that uses `Stage` as a number cannot be shared."""
    async with embedded_engine(tmp_path) as engine:
        client = await connect(engine.address)
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace="default", search_attributes={"Stage": IndexedValueType.INDEXED_VALUE_TYPE_INT}
            )
        )
        with pytest.raises(SettingsError, match=r"Stage is Int .* needs Keyword.*TEMPORAL_NAMESPACE"):
            await ensure_search_attributes(client)


async def test_a_second_start_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    """The message names the process and its UI; other commands find that engine through the folder."""
    async with embedded_engine(tmp_path) as engine:
        assert running_engine(tmp_path) == RunningEngine(os.getpid(), engine.address, engine.ui_url)
        with pytest.raises(SettingsError) as refused:
            async with embedded_engine(tmp_path):
                pass
        assert f"process {os.getpid()}, its UI is at {engine.ui_url}" in str(refused.value)
        assert "\n" not in str(refused.value)
        await connect(engine.address)
        assert running_engine(tmp_path) is not None
    assert running_engine(tmp_path) is None


async def test_a_restart_keeps_the_workflows_and_the_addresses(tmp_path: Path) -> None:
    """A journey is where it was, and a bookmarked UI still opens."""
    async with embedded_engine(tmp_path) as first:
        before = await _started_history(await connect(first.address))
    async with embedded_engine(tmp_path) as second:
        assert await _history(await connect(second.address)) == before
        assert (second.address, second.ui_url) == (first.address, first.ui_url)


async def test_a_killed_server_is_noticed_and_loses_nothing(tmp_path: Path) -> None:
    """A kill -9 of the server ends the watch with one line; the next start has every workflow."""
    async with embedded_engine(tmp_path) as first:
        before = await _started_history(await connect(first.address))
        os.kill(first.pid, signal.SIGKILL)
        with pytest.raises(SettingsError, match="the Temporal server has stopped"):
            await first.watch()
    async with embedded_engine(tmp_path) as second:
        assert await _history(await connect(second.address)) == before


async def test_a_killed_owner_leaves_no_server_and_no_lock(tmp_path: Path) -> None:
    """After a kill -9 of the owner its server goes too, and the next start takes over at the same address."""
    owner, pid, address = await _owner(tmp_path)
    owner.kill()
    await owner.communicate()
    if sys.platform == "linux":
        async with asyncio.timeout(30):
            while _alive(pid):
                await asyncio.sleep(0)
    async with embedded_engine(tmp_path) as engine:
        assert engine.address == address
        assert not _alive(pid)


async def test_a_server_that_outlived_its_owner_is_stopped_first(tmp_path: Path) -> None:
    """Where no system call ends a child with its parent, the lock on the log tells that it lives."""
    database = str((tmp_path / "temporal.db").resolve())
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(tmp_path / "temporal.log"), database], stdout=subprocess.PIPE
    ) as orphan:
        assert orphan.stdout is not None
        assert orphan.stdout.readline() == b"locked\n"
        (tmp_path / "engine.lock").write_text(json.dumps({"pid": 1, "server_pid": orphan.pid}))
        try:
            async with embedded_engine(tmp_path):
                assert orphan.wait() == -signal.SIGTERM
        finally:
            orphan.kill()


async def test_ctrl_c_reaches_the_owner_before_the_server(tmp_path: Path) -> None:
    """The terminal interrupts a whole process group; the engine is still there while the owner winds down."""
    owner, pid, _ = await _owner(tmp_path)
    os.killpg(owner.pid, signal.SIGINT)
    output, _ = await owner.communicate()
    assert b"the engine outlived the interrupt" in output
    assert not psutil.pid_exists(pid)
    assert running_engine(tmp_path) is None


@pytest.mark.parametrize("option", ["port", "ui_port"])
async def test_a_taken_port_is_refused(tmp_path: Path, listener: socket.socket, option: str) -> None:
    """A port that was asked for is not silently another; nothing is left running or locked."""
    taken = listener.getsockname()[1]
    with pytest.raises(SettingsError, match=rf"port {taken} cannot be used.*--{option.replace('_', '-')}"):
        async with embedded_engine(tmp_path, **{option: taken}):
            pass
    assert running_engine(tmp_path) is None


async def test_one_port_for_both_and_a_port_that_is_none_are_refused(tmp_path: Path) -> None:
    """The server and its UI need a port each, and ports end at 65535."""
    async with embedded_engine(tmp_path) as engine:
        port = int(engine.address.rpartition(":")[2])
    with pytest.raises(SettingsError, match="--ui-port"):
        async with embedded_engine(tmp_path, port=port, ui_port=port):
            pass
    with pytest.raises(SettingsError, match="port 70000 cannot be used"):
        async with embedded_engine(tmp_path, port=70_000):
            pass


async def test_a_remembered_port_that_is_taken_gives_way(tmp_path: Path, listener: socket.socket) -> None:
    """Nobody asked for last time's port, so another does."""
    taken = listener.getsockname()[1]
    (tmp_path / "engine.lock").write_text(json.dumps({"port": taken, "ui_port": taken}))
    async with embedded_engine(tmp_path) as engine:
        assert engine.address != f"127.0.0.1:{taken}"
        await connect(engine.address)


async def test_engines_on_two_folders_live_side_by_side(tmp_path: Path) -> None:
    """A demo does not disturb a development run."""
    async with embedded_engine(tmp_path / "a") as one, embedded_engine(tmp_path / "b") as other:
        assert one.address != other.address
        await _started_history(await connect(one.address))
        assert (await (await connect(other.address)).count_workflows()).count == 0


async def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    """The line names the folder and the setting."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"file.* cannot be written: .*PERENNIAL_DATA_DIR"):
        async with embedded_engine(tmp_path / "file"):
            pass


async def test_a_nearly_full_disk_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """The line says how much is free and how much is needed."""
    with pytest.raises(SettingsError, match=r"disk of data folder .* is full: \d+ MB are free and 1048576 MB"):
        async with embedded_engine(tmp_path, minimum_free=2**40):
            pass
    assert not (tmp_path / "temporal.db").exists()


async def test_a_file_that_is_no_database_is_refused_with_the_servers_own_words(tmp_path: Path) -> None:
    """A server that does not come up says why in its log, and the line quotes it."""
    (tmp_path / "temporal.db").write_bytes(b"this is a letter, not a database" * 1_000)
    with pytest.raises(SettingsError, match=r"temporal\.log: .*file is not a database"):
        async with embedded_engine(tmp_path):
            pass
    assert running_engine(tmp_path) is None


async def test_a_torn_lock_file_is_no_obstacle(tmp_path: Path) -> None:
    """A power cut in the middle of writing it costs the remembered ports, nothing more."""
    (tmp_path / "engine.lock").write_text('{"pid": 12, "po')
    async with embedded_engine(tmp_path) as engine:
        assert running_engine(tmp_path) == RunningEngine(os.getpid(), engine.address, engine.ui_url)


async def test_no_server_at_the_address_gives_the_address_and_the_remedy(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given or from the environment: one line, no gRPC internals."""
    nobody = f"127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    monkeypatch.setenv("TEMPORAL_ADDRESS", nobody)
    for address in (nobody, None):
        with pytest.raises(SettingsError) as refused:
            await connect(address)
        assert str(refused.value) == (
            f"no Temporal server answers at {nobody}; start one with `python starter.py dev`, or set TEMPORAL_ADDRESS"
        )


async def test_an_unknown_namespace_or_profile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal's own settings are checked when connecting, not when the first lead enrols."""
    async with embedded_engine(tmp_path) as engine:
        monkeypatch.setenv("TEMPORAL_ADDRESS", engine.address)
        monkeypatch.setenv("TEMPORAL_NAMESPACE", "elsewhere")
        with pytest.raises(SettingsError, match="has no namespace 'elsewhere'; set TEMPORAL_NAMESPACE"):
            await connect()
        await connect(engine.address)
    monkeypatch.setenv("TEMPORAL_PROFILE", "nowhere")
    with pytest.raises(SettingsError, match=r"'nowhere' not found; check TEMPORAL_PROFILE"):
        await connect()


async def _started_history(client: Client) -> list[str]:
    await client.start_workflow("new-lead", id="new-lead/1", task_queue="nobody-listens")
    return await _history(client)


async def _history(client: Client) -> list[str]:
    events = (await client.get_workflow_handle("new-lead/1").fetch_history()).events
    assert events
    return [event.SerializeToString().hex() for event in events]


async def _owner(data_dir: Path) -> tuple[asyncio.subprocess.Process, int, str]:
    owner = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        OWNER,
        str(data_dir),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert owner.stdout is not None
    pid, address = json.loads(await owner.stdout.readline())
    return owner, pid, address


def _alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_a_server_that_is_killed_before_it_answers_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ended it, it says nothing itself, and nothing is lost by another try."""
    killed = tmp_path / "killed"
    _stand_in(monkeypatch, tmp_path, f'[ -e "{killed}" ] || {{ : > "{killed}"; kill -TERM $$; }}')
    async with embedded_engine(tmp_path / "folder"):
        assert killed.exists()


async def test_a_server_that_is_killed_at_each_start_is_told_with_the_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty log alone would say nothing."""
    _stand_in(monkeypatch, tmp_path, "kill -KILL $$")
    with pytest.raises(SettingsError, match=r"has stopped \(signal 9\)"):
        async with embedded_engine(tmp_path / "folder"):
            pass


def _stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path, first: str) -> None:
    """Find on the PATH alone a `temporal` that does something first."""
    program = folder / "bin" / "temporal"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n{first}\nexec "{temporal_binary()}" "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setattr(importlib.metadata, "files", lambda _: ())
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
