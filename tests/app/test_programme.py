"""A programme of one's own: found by its name, and what is broken in it is said with file and line."""

from itertools import count
from pathlib import Path

import pytest

from nurture.errors import SettingsError
from perennial.app.programme import Programme, programme_of, track_to_try
from perennial.platform.settings import load_settings

TRACK = '''"""Greets."""
from nurture import Lead, Outcome, nurtured, track
@track("greeting")
async def greeting(lead: Lead) -> Outcome:
    """Greets."""
    await lead.send("hello")
    return nurtured
'''
_NUMBERS = count()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A programme with one track, in the working folder, under a name that no other test imports."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / f"acme{next(_NUMBERS)}"
    for each in ("tracks", "content"):
        (folder / each).mkdir(parents=True)
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "tracks" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "tracks" / "greeting.py").write_text(TRACK, encoding="utf-8")
    monkeypatch.setenv("PERENNIAL_PROGRAMME", folder.name)
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def loaded() -> Programme:
    """The programme that the settings name."""
    return programme_of(load_settings())


def test_the_named_package_is_the_programme(home: Path) -> None:
    """Its tracks, its content and its activities; nothing of the shipped one."""
    found = loaded()
    assert (list(found.tracks), found.content, found.activities, found.broken) == (
        ["greeting"], home / "content", (), (),
    )  # fmt: skip


def test_an_activity_of_the_programme_is_known(home: Path) -> None:
    """In `activities/`, one file or several."""
    (home / "activities").mkdir()
    (home / "activities" / "__init__.py").write_text("", encoding="utf-8")
    code = (
        "from temporalio import activity\nfrom models.messages import DoOrder\n"
        "@activity.defn\nasync def ring(order: DoOrder) -> str:\n    return order.key\n"
    )
    (home / "activities" / "bells.py").write_text(code, encoding="utf-8")
    found = loaded()
    assert (found.broken, [each.__name__ for each in found.activities]) == ((), ["ring"])


@pytest.mark.parametrize(
    ("file", "code", "line"),
    [
        ("tracks/late.py", "\nx = dayz(3)\n", "tracks/late.py:2: NameError: name 'dayz' is not defined; mend it"),
        ("tracks/half.py", "async def half(:\n", "tracks/half.py:1: invalid syntax; mend the line"),
        ("tracks/__init__.py", "1 / 0\n", "tracks/__init__.py:1: ZeroDivisionError: division by zero; mend it"),
        ("__init__.py", "\n\nimport nowhere\n", "__init__.py:3: ModuleNotFoundError: No module named 'nowhere'; mend"),
        (
            "segments.py",
            "from nurture.segments import segment, trait\nbad = segment('bad', trait('size') < 'big')\n",
            "segments.py:2: trait('size') < 'big': only numbers compare by <",
        ),
        (
            "segments.py",
            "from nurture.segments import segment\n\nme = segment('me', ~me)\n",
            "segments.py:3: NameError: name 'me' is not defined",
        ),
        ("helper.py", "\n\n1 / 0\n", "helper.py:3: ZeroDivisionError: division by zero; mend it"),
    ],
)
def test_a_broken_file_is_one_line_with_its_place(home: Path, file: str, code: str, line: str) -> None:
    """Wherever in the package it lies."""
    (home / file).write_text(code, encoding="utf-8")
    if file == "helper.py":
        (home / "tracks" / "uses.py").write_text(f"import {home.name}.helper\n", encoding="utf-8")
    (said,) = loaded().broken
    assert said.startswith(f"{home / line}")


def test_a_programme_without_tracks_says_which_folder_is_missing(home: Path) -> None:
    """And what to put there."""
    (home / "tracks").rename(home / "stories")
    assert loaded().broken == (f"{home / 'tracks'}: no such folder; make it, with one Python file a track",)


def test_a_programme_that_is_nowhere_is_an_error_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says where it was looked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PERENNIAL_PROGRAMME", "nowhere_at_all")
    with pytest.raises(SettingsError, match=f"PERENNIAL_PROGRAMME is not usable: .*{tmp_path}.*such as acme"):
        load_settings()


def test_the_track_of_a_first_command_is_one_that_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the shipped programme the one in the README; of another its foremost; in words if there is none."""
    assert track_to_try(load_settings()) == "new-lead"
    (tmp_path / "bare" / "tracks").mkdir(parents=True)
    (tmp_path / "bare" / "content").mkdir()
    (tmp_path / "bare" / "__init__.py").touch()
    (tmp_path / "bare" / "tracks" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PERENNIAL_PROGRAMME", "bare")
    assert track_to_try(load_settings()) == "TRACK"


def test_a_track_that_asks_for_a_segment_that_is_none_is_broken(home: Path) -> None:
    """With file and line, and the nearest name; once the segment is there the track is whole."""
    asking = TRACK.replace(
        'await lead.send("hello")', 'await lead.send("hello" if lead.is_in("retail-lead") else "bye")'
    )
    (home / "tracks" / "greeting.py").write_text(asking, encoding="utf-8")
    segments = (
        'from nurture.segments import segment, trait\nretail = segment("retail-leads", trait("industry") == "retail")\n'
    )
    (home / "segments.py").write_text(segments, encoding="utf-8")
    found = loaded()
    assert not found.tracks
    (said,) = found.broken
    assert "greeting.py:6: no segment called 'retail-lead'; did you mean 'retail-leads'?" in said


def test_a_track_that_is_entered_by_a_segment_that_is_none_is_broken(home: Path) -> None:
    """With file and line; what is swept stands in segments.py."""
    entered = TRACK.replace('@track("greeting")', '@track("greeting", enters_on=segment_entered("retail"))')
    entered = entered.replace("@track", "from nurture.segments import segment_entered\n@track")
    (home / "tracks" / "greeting.py").write_text(entered, encoding="utf-8")
    found = loaded()
    assert not found.tracks
    (said,) = found.broken
    assert "greeting.py:4: enters by segment: no segment called 'retail'; known: none" in said
