"""List every module by its room: `python -m docs.list_modules` writes the last part of docs/architecture.md.

The words are the modules' own: the first line of each docstring.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("nurture", "models", "workflows", "activities", "perennial")
HEADING = "## Every module\n"


def summary(module: Path) -> str:
    """The first line of a module's docstring, safe in a table."""
    documented = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return documented.partition("\n")[0].replace("|", "\\|")


def listing() -> str:
    """A table for each package: its modules, and what each is about."""
    lines = [
        HEADING,
        "Made by `make drawing` from the first line of each docstring; a test compares the two.",
    ]
    for top in PACKAGES:
        for package in sorted({ROOT / top, *(init.parent for init in (ROOT / top).rglob("__init__.py"))}):
            modules = [each for each in sorted(package.glob("*.py")) if not each.name.startswith("__")]
            lines += ["", f"### {package.relative_to(ROOT).as_posix()}/", "", summary(package / "__init__.py")]
            if modules:
                lines += ["", "| module | what it is about |", "| --- | --- |"]
                lines += [f"| `{each.stem}` | {summary(each)} |" for each in modules]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page with its last part as it must be."""
    written, _, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    return written + listing()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")
