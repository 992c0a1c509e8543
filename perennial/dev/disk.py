"""Refuse to start on a full disk, and word what goes wrong with a data folder."""

import errno
import shutil
from pathlib import Path

from nurture.errors import SettingsError


def refuse_full_disk(data_dir: Path, minimum: int) -> None:
    """Raise SettingsError if fewer than `minimum` bytes are free."""
    free = shutil.disk_usage(data_dir).free
    if free < minimum:
        raise SettingsError(
            f"the disk of data folder {data_dir} is full: {free // 2**20} MB are free and "
            f"{minimum // 2**20} MB are needed; free some, or choose another folder with PERENNIAL_DATA_DIR"
        )


def disk_error(data_dir: Path, error: OSError) -> SettingsError:
    """Word an error of the file system for a person."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = "free some" if full else "make it writable"
    return SettingsError(
        f"data folder {data_dir} cannot be written: {error.strerror or error}; "
        f"{remedy}, or choose another folder with PERENNIAL_DATA_DIR"
    )
