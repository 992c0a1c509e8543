"""Words keep what tells them apart."""

import pytest

from nurture.people.slugs import slug


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
        ("C＋＋", "c-plus-plus"),
        ("C♯", "c-sharp"),
        ("A+B", "a-b"),
        ("#1", "1"),
        ("???", ""),
    ],
)
def test_a_slug_keeps_every_script_and_the_signs_of_languages(text: str, spelled: str) -> None:
    """Only Latin letters lose their accents. A slug is its own slug."""
    assert slug(text) == spelled
    assert slug(spelled) == spelled
