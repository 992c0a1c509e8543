"""`new`: what it writes checks out, passes its own tests, and runs, outside this repository."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from perennial.platform.settings import Settings, variable
from tests.cli.conftest import invoke
from tests.paths import ROOT


def in_folder(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder that is not the repository's; its code is found by PYTHONPATH alone."""
    known = {variable(field) for field in Settings.model_fields}
    clean = {name: value for name, value in os.environ.items() if name not in known}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=clean | {"PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a new programme `acme` lies in."""
    folder = tmp_path_factory.mktemp("company")
    made = in_folder(folder, "-m", "perennial.cli", "new", "acme")
    assert (made.returncode, "PERENNIAL_PROGRAMME=acme" in made.stdout) == (0, True), made.stderr
    return folder


def test_a_new_programmes_readme_names_the_setting_as_it_is(home: Path) -> None:
    """Word for word, as `new` prints it."""
    assert "\nexport PERENNIAL_PROGRAMME=acme\n" in (home / "acme" / "README.md").read_text(encoding="utf-8")


def test_a_new_programme_checks_out(home: Path) -> None:
    """Its pieces render, its track may ship, its segment is known; nothing of the shipped programme is there."""
    checked = in_folder(home, "-m", "perennial.cli", "check", "--json", PERENNIAL_PROGRAMME="acme")
    found = json.loads(checked.stdout)
    assert (found["pieces"], [each["track"] for each in found["tracks"]]) == (3, ["first-steps"])
    assert found["problems"] == []


def test_a_new_programme_passes_its_own_tests(home: Path) -> None:
    """As its README says to run them."""
    tested = in_folder(home, "-m", "pytest", "acme", "-q", "-p", "no:cacheprovider")
    assert (tested.returncode, "3 passed" in tested.stdout) == (0, True), tested.stdout


def test_a_new_programme_has_its_segment_and_its_track_in_the_commands(home: Path) -> None:
    """On a database of its own."""
    data = {"PERENNIAL_PROGRAMME": "acme", "PERENNIAL_DATA_DIR": str(home / "data")}
    assert in_folder(home, "-m", "perennial.cli", "migrate", **data).returncode == 0
    listed = in_folder(home, str(ROOT / "starter.py"), "segments", "--json", **data)
    assert [each["name"] for each in json.loads(listed.stdout)["segments"]] == ["readers"]
    assert "first-steps" in in_folder(home, str(ROOT / "starter.py"), "tracks", **data).stdout


@pytest.mark.parametrize(("name", "said"), [("my-company", "no name of a Python package"), ("there", "exists")])
def test_a_folder_that_cannot_be_a_programme_is_refused(tmp_path: Path, name: str, said: str) -> None:
    """And nothing is written."""
    (tmp_path / "there").mkdir()
    result = invoke("new", str(tmp_path / name), data_dir=tmp_path / "data")
    assert (result.exit_code, said in result.stderr) == (2, True)
    assert [each.name for each in tmp_path.iterdir()] == ["there"]
