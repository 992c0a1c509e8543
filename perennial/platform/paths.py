"""Where the files that ship with Perennial lie: at the top of a source tree, inside the package of an installed one."""

import sys
from importlib.util import find_spec
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]

IMPORTED_FROM = _PACKAGE.parent
"""The folder that Python imports Perennial from: the source tree, or site-packages."""


def shipped(name: str) -> Path:
    """A folder that ships with Perennial: `content`, `migrations` or `sample`."""
    installed = _PACKAGE / "shipped" / name
    return installed if installed.is_dir() else IMPORTED_FROM / name


CONTENT, MIGRATIONS, SAMPLE = shipped("content"), shipped("migrations"), shipped("sample")

PROGRAMME = "workflows"
"""The package of the programme that ships with Perennial; its content stands beside it."""


def package_folder(package: str) -> Path | None:
    """The folder of a Python package, also one in the working folder; None if there is none, or a parent is broken."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        spec = find_spec(package)
    except (Exception, SystemExit):  # noqa: BLE001 - a dotted name imports its parent, which may do anything
        return None
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    return Path(places[0]) if places else None


def content_of(programme: str) -> Path:
    """The content folder of a programme: `content` in its package; of the shipped one, `content` beside it."""
    folder = package_folder(programme)
    return CONTENT if programme == PROGRAMME or folder is None else folder / "content"
