"""`draw`: Mermaid on the terminal, a picture in a file, leads in the boxes; and what it says of a wrong name."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from nurture.journey.track import load_tracks
from perennial.platform.database import Database
from perennial.reports.places import count_steps
from tests.builders import enrolment, person, store
from tests.cli.conftest import invoke

SVG = "{http://www.w3.org/2000/svg}"


def test_mermaid_is_printed_as_it_is(tmp_path: Path) -> None:
    """To be pasted, so nothing is folded or marked."""
    result = invoke("draw", "re-engagement", data_dir=tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("flowchart TD\n  accTitle: re-engagement\n")
    assert '(["wait 21 days or wait 30 days"])' in result.stdout


def test_a_picture_holds_its_words_and_no_script(tmp_path: Path) -> None:
    """Title, description, real text, no colour of its own outside the style sheet."""
    file = tmp_path / "map.svg"
    result = invoke("draw", "re-engagement", "--out", str(file), data_dir=tmp_path)
    assert result.exit_code == 0, result.output
    root = ET.fromstring(file.read_text(encoding="utf-8"))  # noqa: S314 - our own
    assert root.find(f"{SVG}title").text == "The track re-engagement"  # type: ignore[union-attr] # it is there
    assert "enrol on new-lead" in root.find(f"{SVG}desc").text  # type: ignore[union-attr, operator] # it is there
    assert "enrol on new-lead" in [each.text for each in root.iter(f"{SVG}text")]
    assert not list(root.iter(f"{SVG}script"))
    assert not [each for each in root.iter() if "fill" in each.attrib or "stroke" in each.attrib]


def test_a_wrong_name_is_one_line(tmp_path: Path) -> None:
    """Of a track, of a file, of a folder that is not there."""
    for arguments, says in (
        (("draw", "re-engage"), "did you mean 're-engagement'"),
        (("draw", "re-engagement", "--out", "map.png"), "ends in .svg or .mmd"),
        (("draw", "re-engagement", "--out", str(tmp_path / "none" / "map.mmd")), "cannot be written"),
    ):
        result = invoke(*arguments, data_dir=tmp_path)
        assert result.exit_code == 2
        assert says in " ".join(result.stderr.split())


async def test_leads_are_counted_where_they_stand(database: Database) -> None:
    """Those who are on the track, by their step; not those who left it."""
    await store(database, *(person(lead) for lead in ("l1", "l2", "l3", "l4")))
    await store(
        database,
        enrolment("new-lead", "l1", step="send:welcome/wait"),
        enrolment("new-lead", "l2", step="send:welcome/wait"),
        enrolment("new-lead", "l3", status="finished", step="finished"),
        enrolment("lost-deal", "l4", step="start/wait"),
    )
    track = load_tracks("workflows.tracks")["new-lead"]
    async with database.reading() as session:
        assert await count_steps(session, track) == {"send:welcome/wait": 2}
