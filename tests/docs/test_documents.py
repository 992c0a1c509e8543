"""README and docs: their Python runs, their commands and links exist."""

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import resolve_name

import pytest

from nurture.bench.tryout import try_out
from nurture.content.folder import load_catalogue
from nurture.journey.track import tracks_in
from nurture.people.behaviours import BEHAVIOURS
from perennial.app.checking import check_paths
from perennial.journeys.held import say_place
from perennial.platform.settings import Settings, variable
from tests.paths import CONTENT, ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)#:]+)(?:#[^)]*)?\)")
DOTTED = re.compile(r"`((?:nurture|perennial|models|workflows|activities)(?:\.\w+)+)`")
VARIABLE = re.compile(r"`((?:PERENNIAL|SENDGRID)_\w+)`")
PATH = re.compile(r"`((?:nurture|perennial|models|workflows|activities|tests|docs|content|migrations)/[\w./-]*)`")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return [
        found["code"] for found in FENCE.finditer(page.read_text(encoding="utf-8")) if found["language"] == language
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    """As one module in a file, because a track's source is read where it is registered."""
    name = f"page_{page.stem.replace('-', '_').lower()}"
    path = tmp_path / f"{name}.py"
    path.write_text("\n\n".join(blocks(page, "python")), encoding="utf-8")
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        catalogue = load_catalogue(CONTENT)
        found = [fault for made in tracks_in(module) for fault in try_out(made, catalogue, runs=30)]
        for made in tracks_in(module):
            found += check_paths(made, catalogue)[1]
        if page.name == "before-it-ships.md":
            module.test_every_path_of_guides(CONTENT)
    finally:
        del sys.modules[name]
    assert found == []  # what a page shows passes the check that it tells of


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Relative links name files that are there."""
    missing = [
        target
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not target.startswith("http") and not (page.parent / target).exists()
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_and_files_named_on_a_page_exist(page: Path) -> None:
    """`perennial.intake.relay`, `nurture.bench.rehearsal.Rehearsal`, `workflows/tracks/`."""
    text = page.read_text(encoding="utf-8")
    missing = [name for name in DOTTED.findall(text) if not names_something(name)]
    missing += [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    assert not missing


def names_something(dotted: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    try:
        resolve_name(dotted)
    except (ImportError, AttributeError):
        return False
    return True


def test_make_targets_named_in_the_readme_exist() -> None:
    """A newcomer's first two commands."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        command.split()[1]
        for code in blocks(ROOT / "README.md", "sh")
        for command in code.splitlines()
        if command.startswith("make ")
    }
    assert named == {"demo", "test"}
    assert named <= targets


def test_the_settings_table_has_every_setting_and_no_other() -> None:
    """docs/run-in-production.md, between `PERENNIAL_DATABASE_URL` and the logs."""
    page = (ROOT / "docs" / "run-in-production.md").read_text(encoding="utf-8")
    table = {
        name for row in page.splitlines() if row.startswith("| `") for name in VARIABLE.findall(row.split(" | ")[0])
    }
    assert table == {
        "SENDGRID_API_KEY" if name == "sendgrid_api_key" else variable(name) for name in Settings.model_fields
    }


def test_the_table_of_behaviours_has_them_all_with_their_property() -> None:
    """docs/write-a-track.md: what `does` and `signal` take."""
    page = (ROOT / "docs" / "write-a-track.md").read_text(encoding="utf-8")
    for kind in BEHAVIOURS.values():
        assert f"| `{kind.name}` | {f'`{kind.subject}`' if kind.subject else ''} | {kind.says} |" in page


def test_the_leads_of_the_quick_start_are_in_the_sample() -> None:
    """Word for word it works: they are imported, and their score lets them in."""
    (commands,) = (each for each in blocks(ROOT / "README.md", "sh") if "import sample/leads.csv" in each)
    named = set(re.findall(r"[\w.]+@[\w.-]+", commands))
    sample = (ROOT / "sample" / "leads.csv").read_text(encoding="utf-8")
    assert named
    assert [each for each in named if f",{each}," not in sample] == []


def test_the_saved_queries_say_in_keys_what_tracks_says_in_words() -> None:
    """A reader finds in Temporal the leads that `tracks` counted."""
    page = (ROOT / "docs" / "run-in-production.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?P<words>[\w ]+?)(?: \(.*\))? \| `Step = '(?P<step>[^']+)'", page, re.MULTILINE)
    assert len(rows) > 2
    assert [words for words, step in rows if say_place(step) != words] == []
