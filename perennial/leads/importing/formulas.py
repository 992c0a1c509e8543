"""Cells that a spreadsheet would run: written as text into files of ours, and read back as they were.

https://owasp.org/www-community/attacks/CSV_Injection
"""

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_AS_TEXT = "'"


def as_text(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would take for a formula."""
    return f"{_AS_TEXT}{cell}" if cell.lstrip(f" {_AS_TEXT}").startswith(_STARTS) else cell


def as_given(cell: str) -> str:
    """The cell that `as_text` wrote."""
    return cell[1:] if cell.startswith(_AS_TEXT) and cell.lstrip(f" {_AS_TEXT}").startswith(_STARTS) else cell
