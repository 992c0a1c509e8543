"""The command line as a newcomer meets it: every command explains itself, every mistake gets one line and a code."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from nurture.errors import ContentError, ImportFileError, NotFoundError, RefusedError, SettingsError, TrackError
from perennial.cli.app import COMMANDS
from perennial.cli.exit_codes import explain_error
from perennial.cli.reference import commands, reference
from perennial.platform.migrations import upgrade
from perennial.platform.settings import load_settings
from tests.cli.conftest import invoke
from tests.paths import ROOT

DOCS = ROOT / "docs"
NOBODY = "127.0.0.1:1"
EVERY = list(commands())


@pytest.mark.parametrize(("name", "command"), EVERY, ids=[name for name, _ in EVERY])
def test_a_command_explains_itself_and_all_its_options(name: str, command: Any) -> None:
    """Each has help, an example that names it, and a line for each argument and option."""
    assert command.help
    assert f"starter.py {name}" in f"{command.help} {command.epilog}"
    assert [each.name for each in command.params if not each.help] == []


def test_the_reference_is_the_commands() -> None:
    """docs/commands.md says what --help says; `python -m perennial.cli.reference > docs/commands.md` mends it."""
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == reference()


def test_help_lists_every_command(tmp_path: Path) -> None:
    """The first thing a newcomer types."""
    result = invoke("--help", data_dir=tmp_path)
    assert result.exit_code == 0
    assert [name for name in COMMANDS if name not in result.stdout] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trakcs"], "Did you mean 'tracks'?"),
        (["tracks", "--everything"], "no such option"),
        (["why"], "missing argument 'lead'"),
        (["leads", "--limit", "many"], "--limit"),
        (["enrol", "new-lead"], "one of --lead LEAD, --where FILTER, --segment NAME (or these two) or --all"),
        (["enrol", "new-lead", "--all", "--rate", "fast"], "write 50/s or 600/m"),
        (["pause"], "--lead LEAD, --track TRACK, or both"),
        (["exit", "--track", "new-lead"], "--yes"),
        (["replay"], "a LEAD, or --history FILE.json"),
        (["replay", "--history", "none.json"], "none.json: cannot read the file"),
        (["replay", "--journal", "none.json"], "none.json: cannot read the file"),
        (["replay", "ada", "--set", "score"], "--set name=value"),
        (["replay", "ada", "--with", "email.clicked=welcome"], "say when, as in --with email.clicked=welcome@2026"),
        (["replay", "ada", "--without", "=welcome"], "write --without email.clicked=welcome"),
        (["replay", "ada", "--at", "yesterday"], "write 2026-03-01"),
        (["signal", "ada", "email.cliked"], "known: content.downloaded"),
        (["mail", "--html", "x.html"], "--open TOUCH"),
        (["import", "none.csv", "--map", "none.toml"], "none.toml"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(tmp_path: Path, words: list[str], said: str) -> None:
    """Exit code 2, nothing on standard output, and no traceback."""
    result = invoke(*words, data_dir=tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_database_that_is_not_set_up_is_named_with_the_remedy(tmp_path: Path) -> None:
    """Nothing is made by the way."""
    result = invoke("tracks", "--data-dir", str(tmp_path / "new"), data_dir=tmp_path)
    assert result.exit_code == 4
    assert "run `python starter.py migrate`" in result.stderr
    assert result.stderr.startswith(f"error: {tmp_path / 'new' / 'perennial.db'}: the database is not set up")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["enrol", "nope", "--all"], "no track called 'nope'"),
        (["preview", "nope", "--all"], "no track called 'nope'"),
        (["renurture", "--track", "nope", "--where", "score>=1"], "no track called 'nope'"),
        (["segment", "nope"], "no segment called 'nope'"),
        (["leads", "--segment", "nope"], "no segment called 'nope'"),
        (["leads", "--where", "score>=warm"], "a score is a whole number"),
        (["enrol", "new-lead", "--where", "industry>retail"], "can be compared by >"),
    ],
)
def test_a_name_that_is_none_is_refused_before_the_database_is_opened(
    tmp_path: Path, words: list[str], said: str
) -> None:
    """Also where there is no database, and no server."""
    result = invoke(*words, data_dir=tmp_path / "none", TEMPORAL_ADDRESS=NOBODY)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_migrate_makes_the_database_and_says_so_only_once(tmp_path: Path) -> None:
    """The second run changes nothing."""
    assert "from nothing to" in invoke("migrate", data_dir=tmp_path).stdout
    assert "already" in invoke("migrate", data_dir=tmp_path).stdout


def test_without_a_server_the_line_names_the_address_and_the_remedy(tmp_path: Path) -> None:
    """An enrolment needs Temporal; nothing is half done without it."""
    asyncio.run(upgrade(load_settings(data_dir=tmp_path).database_url))
    result = invoke("enrol", "new-lead", "--all", data_dir=tmp_path, TEMPORAL_ADDRESS=NOBODY)
    assert result.exit_code == 4
    assert f"no Temporal server answers at {NOBODY}; start one with `python starter.py dev`" in result.stderr


def test_without_mail_it_says_whether_the_inbox_is_closed(tmp_path: Path) -> None:
    """The inbox's mail is shown while it runs; it is not lost."""
    asyncio.run(upgrade(load_settings(data_dir=tmp_path).database_url))
    assert invoke("mail", data_dir=tmp_path).stdout == "No mail yet.\n"
    (tmp_path / "mailbox.db").touch()
    assert "The inbox is closed; open it with `python starter.py mailbox`" in invoke("mail", data_dir=tmp_path).stdout


def test_a_preview_needs_no_server(tmp_path: Path) -> None:
    """Nothing starts, so Temporal may be away."""
    asyncio.run(upgrade(load_settings(data_dir=tmp_path).database_url))
    for words in (("preview", "new-lead", "--all"), ("renurture", "--where", "score>=0", "--dry-run")):
        result = invoke(*words, data_dir=tmp_path, TEMPORAL_ADDRESS=NOBODY)
        assert (result.exit_code, "0 leads would" in result.stdout) == (0, True)


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    """A misspelt variable would otherwise be ignored."""
    result = invoke("tracks", data_dir=tmp_path, PERENNIAL_PROVDIER="x")
    assert result.exit_code == 4
    assert "did you mean PERENNIAL_PROVIDER?" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFoundError("no lead"), 2),
        (ImportFileError("no column"), 2),
        (ContentError("no piece"), 2),
        (TrackError("line 3"), 2),
        (RefusedError("already on it"), 3),
        (SettingsError("no server"), 4),
        (OperationalError("SELECT 1", {}, OSError("gone")), 4),
        (PermissionError(13, "Permission denied", "out.html"), 4),
        (ZeroDivisionError("division by zero"), 1),
    ],
)
def test_every_kind_of_error_has_its_exit_code(error: Exception, code: int) -> None:
    """One place decides."""
    assert explain_error(error)[0] == code


def test_check_finds_a_broken_piece(tmp_path: Path) -> None:
    """A missing field or variable is found before anything is sent, and named."""
    content = tmp_path / "content"
    content.mkdir()
    for layout in (DOCS.parent / "content").glob("layout.*"):
        (content / layout.name).write_bytes(layout.read_bytes())
    piece = (DOCS.parent / "content" / "welcome.md").read_text(encoding="utf-8")
    (content / "welcome.md").write_text(piece.replace("{{ first_name }}", "{{ frist_name }}"), encoding="utf-8")
    result = invoke("check", data_dir=tmp_path, PERENNIAL_CONTENT_DIR=str(content))
    assert result.exit_code == 2
    assert "frist_name" in result.stderr


def test_check_passes_what_ships(tmp_path: Path) -> None:
    """The pieces of this repository keep their rules, and a track; tests/tracks follows every path of each."""
    result = invoke("check", "re-engagement", "--json", data_dir=tmp_path)
    assert result.exit_code == 0, result.output
    assert '"problems": []' in result.stdout
