"""A mapping proposed from a file's header."""

from pathlib import Path

import pytest

from nurture.errors import ImportFileError
from perennial.leads.importing.mapping import parse_mapping, read_mapping
from perennial.leads.importing.proposing import propose


def file_of(tmp_path: Path, text: str) -> Path:
    """A CSV file."""
    path = tmp_path / "fair 2026.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "first", "last", "traits", "suppress"),
    [
        ("E-Mail,First Name,Surname,Sector\na@b.example,Ada,Lovelace,C++\n", "Ada", "Lovelace", "c-plus-plus", ()),
        ("Name;EMAIL;Opted out\nLovelace, Ada;a@b.example;YES\n", "Ada", "Lovelace", None, ("opt-out",)),
        ("sep=;\nEmail;Full Name;Branche\na@b.example;Ada King Noel;制造业\n", "Ada", "King Noel", "制造业", ()),
        ("Kontakt\tVorname\tSubscribed\na@b.example\tAda\tno\n", "Ada", None, None, ("opt-out",)),
        ('"Quoted ""Mail""",Prenom\nx,Zoé\na@b.example,Ada\nc@d.example,Bo\n', "Ada", None, None, ()),
    ],
    ids=["commas", "a name with a comma", "sep=", "tabs, the opposite of an opt-out", "known by its values"],
)
def test_a_header_proposes_a_mapping_and_shows_the_first_lead(  # noqa: PLR0917 - what a lead is read as
    tmp_path: Path, text: str, first: str, last: str | None, traits: str | None, suppress: tuple[str, ...]
) -> None:
    """The proposal reads as a mapping once its basis is said."""
    found = propose(file_of(tmp_path, text))
    assert found.sample is not None
    assert (found.sample.email, found.sample.first_name, found.sample.last_name) == ("a@b.example", first, last)
    assert (found.sample.traits.get("industry"), found.sample.suppress) == (traits, suppress)
    kept = tmp_path / "mapping.toml"
    kept.write_text(found.toml, encoding="utf-8")
    with pytest.raises(ImportFileError, match=r"basis: .*'legitimate-interest'"):
        read_mapping(kept)
    assert parse_mapping(found.toml.replace('"?"', '"contract"'), kept).source == "fair-2026"


def test_what_is_not_known_is_left_out_and_named(tmp_path: Path) -> None:
    """A person may want it as a segment."""
    found = propose(file_of(tmp_path, 'Email,"Shoe ""size""",Company\nsoon,41,Acme\n'))
    assert found.left_out == ('Shoe "size"',)
    assert found.sample is None


@pytest.mark.parametrize("text", ["", "\n", "a,b\n1,2\n", 'a,b\n1,"2\n'])
def test_a_file_without_addresses_is_refused(tmp_path: Path, text: str) -> None:
    """It says what is missing."""
    with pytest.raises(ImportFileError, match=r"row is empty|no column looks like an e-mail|line 2 is not CSV"):
        propose(file_of(tmp_path, text))
