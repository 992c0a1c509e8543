"""Make folders and files that only their owner can read: they hold names, addresses, mails and the secret."""

import os
from contextlib import suppress
from pathlib import Path

UMASK = 0o077
"""For our programs: whatever else they write, and SQLite's files beside a database, is their owner's alone."""


def private_folder(folder: Path) -> None:
    """Make the folder, or take it back from others. One that we only work in, or that holds it, stays as it is.

    Raises OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    whole, here = folder.resolve(), Path.cwd()
    if whole not in (here, *here.parents, Path.home()):
        _close(whole, 0o700)


def private_file(path: Path) -> None:
    """Make the file, empty, if there is none; close an existing one to others. Raises OSError."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    _close(path, 0o600)


def _close(path: Path, mode: int) -> None:
    state = path.stat()
    if state.st_mode & 0o077 and state.st_uid == os.geteuid():
        with suppress(OSError):  # a disk that can only be read
            path.chmod(mode)
