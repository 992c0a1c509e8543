"""The curated language: what a track's author imports from `nurture` is there, says what it is, and is documented."""

import ast
import re
import subprocess
import sys
from importlib import import_module

import pytest

import nurture
from tests.paths import ROOT

NAMES = sorted(name for name in dir(nurture) if name in nurture._HOMES)
PAGE = (ROOT / "docs" / "write-a-track.md").read_text(encoding="utf-8")
EXPLAINED = " ".join(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", PAGE, flags=re.MULTILINE | re.DOTALL)))


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_the_one_of_its_home_and_says_what_it_is(name: str) -> None:
    """Functions and classes by their own docstring, a value by its class's."""
    found = getattr(nurture, name)
    assert found is getattr(import_module(nurture._HOMES[name]), name)
    assert found.__doc__


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_explained_to_authors(name: str) -> None:
    """In the text of docs/write-a-track.md; an example alone explains nothing."""
    assert re.search(rf"\b{name}\b", EXPLAINED)


def test_what_a_type_checker_sees_is_what_is_there() -> None:
    """The imports for type checkers name the same homes as those that run."""
    tree = ast.parse((ROOT / "nurture" / "__init__.py").read_text(encoding="utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    assert {alias.name: node.module for node in imports for alias in node.names} == nurture._HOMES


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As in any module."""
    with pytest.raises(AttributeError, match="no_such_step"):
        nurture.no_such_step  # type: ignore[attr-defined]  # noqa: B018 - the reading is the test


def test_one_room_of_the_language_does_not_load_the_others() -> None:
    """A program that needs an error or a clock starts without the catalogue and its parsers."""
    code = "import sys, nurture.errors; print(*(name for name in sys.modules if name.startswith('nurture.')))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["nurture.errors"]
