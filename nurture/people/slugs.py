"""Slugs: how traits are spelled."""

import re
import unicodedata
from itertools import groupby

_SIGNS = (
    (re.compile(r"(?<=[\w+])\+(?=\+*(?!\w))"), " plus"),
    (re.compile(r"(?<=[^\W\d])#(?!\w)"), " sharp"),
)


def slug(text: str) -> str:
    """Lower case, words joined by `-`: `Banking, Investment` becomes `banking-investment`.

    Latin letters lose their accents; every other script stays as it is. `C++` becomes `c-plus-plus`, `C#` `c-sharp`.
    Empty for a text without a letter or digit.
    """
    text = unicodedata.normalize("NFKC", text.replace("♯", "#"))  # a full-width `C＋＋` is `C++`
    for sign, word in _SIGNS:
        text = sign.sub(word, text)
    letters: list[str] = []
    base = ""
    for letter in unicodedata.normalize("NFKD", text.casefold()):
        kind = unicodedata.category(letter)
        if kind == "Cf" or (kind[0] == "M" and base.isascii()):
            continue  # a joiner is no break between words, and an accent on a Latin letter goes
        if kind[0] != "M":
            base = letter
        letters.append(letter if kind[0] in "LNM" else " ")
    words = ("".join(word) for is_gap, word in groupby(letters, " ".__eq__) if not is_gap)
    return unicodedata.normalize("NFC", "-".join(words))
