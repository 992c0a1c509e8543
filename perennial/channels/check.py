"""Check a whole catalogue before anything is sent: render every piece, and look at its subject and links."""

from pathlib import Path

from nurture.content.catalogue import Catalogue, Piece
from nurture.errors import ContentError
from perennial.channels.render import Reader, render
from perennial.channels.templates import compiled

LONGEST_SUBJECT = 78
"""Characters: the line length that RFC 5322 section 2.1.1 advises."""


def check_catalogue(catalogue: Catalogue, *, folder: Path) -> list[str]:
    """Every problem that rendering could meet, one line each: `piece: field: what; remedy`.

    Each piece is rendered with each of its subjects, for a reader with a full profile and for one with none.
    """
    problems: dict[str, None] = {}
    known = Reader("Alexandra", "Contoso Industries", "data-governance", "manufacturing")
    for piece in catalogue.pieces.values():
        try:
            for reader in (known, Reader()):
                for variant in range(len(piece.subjects)):
                    _check(piece, reader, variant, folder, problems)
        except ContentError as error:
            problems |= dict.fromkeys(str(error).splitlines())
    return list(problems)


def _check(piece: Piece, reader: Reader, variant: int, folder: Path, problems: dict[str, None]) -> None:
    footer = {"postal_address": "1 Main Street", "unsubscribe_url": "https://northwind.example/u"}
    mail = render(piece, reader, variant=variant, folder=folder, **footer)
    if (length := len(mail.subject)) > LONGEST_SUBJECT:
        problems[f"{piece.id}: subject {variant}: {length} characters; shorten to {LONGEST_SUBJECT}"] = None
    links = compiled(piece).links
    if not links:
        problems[f"{piece.id}: body: no link; give the reader one next thing, as [words](https://...)"] = None
    for link in links:
        if not link.startswith(("https://", "http://", "mailto:")):
            problems[f"{piece.id}: body: the link {link!r} is not whole; begin it with https://"] = None
