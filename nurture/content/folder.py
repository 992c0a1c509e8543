"""Read a folder of Markdown files into a catalogue."""

from collections.abc import Mapping
from pathlib import Path

from nurture.content.catalogue import Catalogue, Piece, parse_piece
from nurture.errors import ContentError


def load_catalogue(folder: Path | str) -> Catalogue:
    """Every `*.md` piece of the folder. Raises ContentError with all problems, one a line."""
    pieces: dict[str, Piece] = {}
    problems: list[str] = []
    for path in sorted(Path(folder).glob("*.md")):
        try:
            pieces[path.stem] = parse_piece(path.stem, path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            problems.append(f"{path.stem}: not UTF-8 at byte {error.start}; save the file as UTF-8")
        except ContentError as error:
            problems.append(str(error))
    problems += _disputed_names(pieces)
    if not pieces and not problems:
        problems.append(f"{folder}: no content piece here; name a folder with one Markdown file a piece")
    if problems:
        raise ContentError("\n".join(problems))
    return Catalogue(pieces)


def _disputed_names(pieces: Mapping[str, Piece]) -> list[str]:
    """The former ids that two pieces lay claim to: leads who had one of these would be denied the other."""
    owners: dict[str, str] = {}
    problems: list[str] = []
    for piece in pieces.values():
        for was in piece.was:
            if was == piece.id:
                problems.append(f"{piece.id}: was: {was} is its present id; leave it out")
            elif was in pieces:
                problems.append(f"{piece.id}: was: {was} is another piece's id; leave it out, or remove {was}.md")
            elif owners.setdefault(was, piece.id) != piece.id:
                problems.append(f"{piece.id}: was: {was} is named by {owners[was]} too; leave it to one of the two")
    return problems
