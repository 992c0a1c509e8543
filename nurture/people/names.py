"""Names: a full name taken apart by a declared rule."""

from typing import Literal

NameOrder = Literal["first-last", "last-first"]


def split_name(full: str, order: NameOrder = "first-last") -> tuple[str, str]:
    """(first name, last name) of a full name; empty for what it does not tell.

    `Lovelace, Ada` has the last name before the comma. Else the first word is the first name and the rest the last
    name; `last-first` reads it the other way round, as in Hungarian, Chinese and Japanese. One word alone is the name
    that comes first.
    """
    text = " ".join(full.split())
    last, comma, first = (part.strip() for part in text.partition(","))
    if comma and last and first:
        return first, last
    one, _, rest = text.strip(", ").partition(" ")
    return (one, rest) if order == "first-last" else (rest, one)
