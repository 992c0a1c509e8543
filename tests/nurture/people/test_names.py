"""Full names, taken apart by the declared rule."""

import pytest

from nurture.people.names import NameOrder, split_name


@pytest.mark.parametrize(
    ("full", "order", "parts"),
    [
        ("Ada Lovelace", "first-last", ("Ada", "Lovelace")),
        ("  Ada   King  Noel ", "first-last", ("Ada", "King Noel")),
        ("Lovelace, Ada", "first-last", ("Ada", "Lovelace")),
        ("Lovelace, Ada", "last-first", ("Ada", "Lovelace")),
        ("Nagy Anna Mária", "last-first", ("Anna Mária", "Nagy")),
        ("王 小明", "last-first", ("小明", "王")),
        ("Ada", "first-last", ("Ada", "")),
        ("王小明", "last-first", ("", "王小明")),
        ("Ada,", "first-last", ("Ada", "")),
        (", Ada", "first-last", ("Ada", "")),
        ("", "first-last", ("", "")),
    ],
)
def test_a_full_name_is_split_by_its_comma_or_its_order(full: str, order: NameOrder, parts: tuple[str, str]) -> None:
    """Nothing is guessed from the words themselves."""
    assert split_name(full, order) == parts
