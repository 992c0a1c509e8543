"""Words keep what tells them apart."""

import pytest

from nurture.errors import InputError
from perennial.leads.importing.mapping import TraitColumn
from perennial.leads.slugs import slug


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("Banking, Investment", "banking-investment"),
        ("Café Straße", "cafe-strasse"),
        ("制造业", "制造业"),
        ("Машины и й", "машины-и-й"),
        ("हिन्दी", "हिन्दी"),
        ("한국어 がぎ", "한국어-がぎ"),
        ("C", "c"),
        ("C++", "c-plus-plus"),
        ("C#", "c-sharp"),
        ("A+B", "a-b"),
        ("#1", "1"),
        ("???", ""),
    ],
)
def test_a_slug_keeps_every_script_and_the_signs_of_languages(text: str, spelled: str) -> None:
    """Only Latin letters lose their accents. A slug is its own slug."""
    assert slug(text) == spelled
    assert slug(spelled) == spelled


def test_a_value_that_no_slug_keeps_is_told() -> None:
    """Dropped in silence, nobody would know why the lead is in no segment."""
    with pytest.raises(InputError, match=r"Branch .* no letter or digit"):
        TraitColumn(column="Branch").read("???")
    assert TraitColumn(column="Branch", others="drop").read("???") == ""
    assert TraitColumn(column="Branch", values={"Shops": "retail"}).read("SHOPS") == "retail"
