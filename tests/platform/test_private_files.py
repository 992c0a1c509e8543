"""What an installation keeps on disk is its owner's alone."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from perennial.dev.engine_lock import lock_folder
from perennial.mailroom.store import Store
from perennial.platform.migrations import upgrade
from perennial.platform.private_files import private_file, private_folder
from perennial.platform.secrets import secrets_of
from perennial.platform.settings import load_settings


def modes(folder: Path) -> dict[str, str]:
    """The mode of a folder and of every file in it."""
    return {path.name: f"{path.stat().st_mode & 0o777:o}" for path in (folder, *folder.iterdir())}


def test_a_data_folder_and_all_that_is_in_it_is_its_owners(tmp_path: Path) -> None:
    """Database, its log, the mailbox, the lock and the secret; also in an installation that was open before."""
    data_dir = tmp_path / "made" / "data"
    data_dir.mkdir(parents=True)
    data_dir.chmod(0o755)
    for name in ("perennial.db", "mailbox.db"):
        (data_dir / name).touch(mode=0o644)
    settings = load_settings(data_dir=data_dir)
    with lock_folder(data_dir):
        asyncio.run(upgrade(settings.database_url))
        secrets_of(settings)
        mailbox = Store(data_dir)
        with sqlite3.connect(data_dir / "perennial.db") as open_:
            open_.execute("CREATE TABLE x (y)")
            found = modes(data_dir)
        mailbox.close()
    assert found.pop("data") == "700"
    assert {"perennial.db", "perennial.db-wal", "mailbox.db", "secret"} <= found.keys()
    assert set(found.values()) == {"600"}


def test_a_folder_that_we_only_work_in_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--data-dir .` must not close a person's project to others; the files in it are closed all the same."""
    work = tmp_path / "work"
    work.mkdir()
    for each in (tmp_path, work):
        each.chmod(0o755)
    monkeypatch.chdir(work)
    for each in (Path(), Path(".."), tmp_path):
        private_folder(each)
        assert each.stat().st_mode & 0o777 == 0o755
    private_file(Path("notes"))
    assert Path("notes").stat().st_mode & 0o777 == 0o600
