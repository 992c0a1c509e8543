"""Strangers' words on a terminal: control characters are shown as signs, so that nothing they wrote is obeyed."""

import re

# C0 without tab and line break, DEL, C1, line and paragraph separators, overrides of the direction of writing, and
# halves of characters, which no terminal can be sent.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKS = re.compile("[\t\n]")
_UNKNOWN = "\ufffd"


def shown(text: str) -> str:
    """The text with a sign for each control character: `␛` for an escape. Tabs and line breaks stay."""
    return _CONTROLS.sub(_sign, text)


def shown_on_one_line(text: str) -> str:
    """As `shown`, tabs and line breaks too, so that a value cannot look like a line of ours."""
    return _BREAKS.sub(_sign, shown(text))


def escaped_in_json(document: str) -> str:
    r"""A JSON document with its control characters as `\u009b`: the same value, safe on a terminal.

    JSON itself escapes only the C0 controls; tabs and line breaks between values stay.
    """
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else _UNKNOWN
