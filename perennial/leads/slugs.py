"""Slugs: how traits are spelled."""

import re
import unicodedata


def slug(text: str) -> str:
    """Lower case, ASCII, words joined by `-`: `Banking, Investment` becomes `banking-investment`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain.lower()))
