"""Messages name the program as it was called."""

import ast
import sys

import pytest

from perennial.platform.program import command
from tests.paths import ROOT

ROOMS = ("activities", "models", "nurture", "perennial", "workflows")
FILES = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize(
    ("called", "said"),
    [
        ("/opt/venv/bin/perennial", "perennial show LEAD"),
        ("C:\\venv\\perennial.exe".replace("\\", "/"), "perennial show LEAD"),
        ("/opt/venv/bin/perennial-worker", "perennial show LEAD"),
        ("starter.py", "python starter.py show LEAD"),
        ("worker.py", "python starter.py show LEAD"),
    ],
)
def test_a_command_is_told_as_it_is_to_be_typed(called: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed, it is `perennial`; from a checkout, a script for Python."""
    monkeypatch.setattr(sys, "argv", [called])
    assert command("show LEAD") == said


@pytest.mark.parametrize("words", [["--data-dir", "my data", "show"], ["show", "x", "--data-dir=my data"]])
def test_a_command_names_the_data_folder_that_was_named(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would look into another one."""
    monkeypatch.setattr(sys, "argv", ["perennial", *words])
    assert command("leads") in {"perennial --data-dir 'my data' leads", "perennial '--data-dir=my data' leads"}


def test_the_programs_name_stands_in_one_place() -> None:
    """No other text of ours, except a docstring, spells it out."""
    spelled = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "starter.py" in node.value
        if '"""' not in ast.get_source_segment(file.read_text(encoding="utf-8"), node)[:3]  # type: ignore[index]
    ]
    assert {line.split(":")[0] for line in spelled} <= {"perennial/platform/program.py", "perennial/cli/reference.py"}


def test_no_page_spells_it_out() -> None:
    """The inbox's pages stand apart, and name the command alone."""
    pages = [
        file for file in (ROOT / "perennial").rglob("templates/*") if "starter.py" in file.read_text(encoding="utf-8")
    ]
    assert pages == []
