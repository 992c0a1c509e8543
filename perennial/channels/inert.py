"""Make what a form was filled with inert: a name in our mail is a name, never a link that a stranger chose."""

import re
import unicodedata

LONGEST = 60
_JOINERS = "\u200c\u200d"  # zero-width, yet part of Persian and Indic spelling
# What mail programs turn into a link: a scheme, an at-sign, a domain with or without a path, an IPv4 address.
_LINK_LIKE = re.compile(
    r"""
    ://|//|@|\bwww\.
    |\b(?:https?|mailto|tel|sms|callto|skype|data|file|ftp|javascript|whatsapp|tg):
    |[\w-]\.(?:xn--[\w-]+|[^\W\d_]{2,})
    |\b\d{1,3}(?:\.\d{1,3}){3}\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_DOTS = str.maketrans("\u3002\uff0e\uff61\u2024", "....")  # an address may be written with any of them


def inert(value: str | None) -> str:
    """The value as one short line of visible characters; "" for no value, and for what looks like an address.

    Mail programs turn an address or a domain in plain text into a link, so we would send whatever link a form was
    filled with. "Acme Inc." and "J. R. Smith" stay; "booking.com" does not: nobody can tell it from "evil.example".
    """
    if not value:
        return ""
    line = " ".join(value.split())
    if not line.isprintable():
        line = "".join(c for c in line if c in _JOINERS or unicodedata.category(c)[0] != "C").strip()
    if _LINK_LIKE.search(_as_read(line)):
        return ""
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def _as_read(line: str) -> str:
    """The line as a mail program may read it: compatible characters as one, no joiners."""
    plain = unicodedata.normalize("NFKC", line.translate(_DOTS)).translate(_DOTS)
    return "".join(c for c in plain if c not in _JOINERS)
