"""Where the files that ship with Perennial lie: at the top of a source tree, inside the package of an installed one."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]

IMPORTED_FROM = _PACKAGE.parent
"""The folder that Python imports Perennial from: the source tree, or site-packages."""


def shipped(name: str) -> Path:
    """A folder that ships with Perennial: `content`, `migrations` or `sample`."""
    installed = _PACKAGE / "shipped" / name
    return installed if installed.is_dir() else IMPORTED_FROM / name


CONTENT, MIGRATIONS, SAMPLE = shipped("content"), shipped("migrations"), shipped("sample")
