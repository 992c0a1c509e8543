"""Read the rows of a CSV file, strictly: anything but CSV in UTF-8 is an error that says where."""

import csv
import gzip
import io
import re
import unicodedata
import zlib
from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from nurture.errors import ImportFileError

LONGEST_ROW = 1_000_000
"""Letters: a file without line ends, or with a quotation mark that never closes, is not read into memory whole."""

_CHUNK = 65_536
_LINE_END = re.compile(r"\r\n|\r|\n")
_SEPARATOR = re.compile(r'("?)sep=(.)\1[\r\n]*', re.IGNORECASE)


@dataclass
class _Rows:
    """Gives the reader its lines, and keeps those of the row that it is in, to say where a fault began."""

    path: Path
    lines: Iterator[str]
    number: int = 0
    row: list[str] = field(default_factory=list)
    letters: int = 0

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            self.number += 1
            self.row.append(line)
            self.letters += len(line)
            if self.letters > LONGEST_ROW:
                raise ImportFileError(f"{self.path}: {self.too_long()}")
            yield line

    def end_row(self) -> None:
        self.row, self.letters = [], 0

    def too_long(self) -> str:
        first = self.number - len(self.row) + 1
        opened = self._open_quote()
        why = f"a quotation mark opens on line {opened}: is it stray?" if opened else "is a line end missing?"
        return f"the row that begins on line {first} is longer than {LONGEST_ROW:,} letters; {why}"

    def fault(self, error: csv.Error) -> str:
        opened = self._open_quote()
        if opened and "end of data" in str(error):
            return f"line {opened} is not CSV: it opens a quotation mark that nothing closes; look for a stray one"
        begins = f", in the row that begins on line {self.number - len(self.row) + 1}" if len(self.row) > 1 else ""
        return f"line {self.number}{begins} is not CSV: {error}; look for a stray quotation mark"

    def _open_quote(self) -> int:
        """The line of the quotation mark that is still open at the row's end; 0 if none is."""
        opened = 0
        for number, line in enumerate(self.row, start=self.number - len(self.row) + 1):
            for _ in range(line.count('"')):
                opened = 0 if opened else number
        return opened


def trimmed(text: str) -> str:
    """A cell without what nobody sees at its ends: spaces, control and format characters (U+200B, a BOM)."""
    text = text.strip()
    start, end = 0, len(text)
    while start < end and _is_unseen(text[start]):
        start += 1
    while end > start and _is_unseen(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_unseen(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) in {"Cc", "Cf"}


def csv_rows(path: Path, delimiter: str) -> Iterator[list[str]]:
    """The file's rows as lists; an empty line is an empty list. Raises ImportFileError.

    A first line `sep=;`, which spreadsheets write and do not show, is no row; it says what separates the columns.
    """
    csv.field_size_limit(LONGEST_ROW)
    lines = _lines(path)
    first = next(lines, "")
    said = _SEPARATOR.fullmatch(first)
    rows = _Rows(path, lines if said else _put_back(first, lines), number=1 if said else 0)
    try:
        for row in csv.reader(rows, delimiter=said[2] if said else delimiter, strict=True):
            rows.end_row()
            yield row
    except csv.Error as error:
        raise ImportFileError(f"{path}: {rows.fault(error)}") from None


def _put_back(first: str, lines: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from lines


def _lines(path: Path) -> Iterator[str]:
    """The file's lines as text, ended as they are (LF, CR LF or CR alone); raises ImportFileError."""
    try:
        with _opened(path) as file:
            yield from _split(path, file)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise ImportFileError(f"{path}: the gzip file is damaged or cut short: get it again") from None
    except OSError as error:
        raise ImportFileError(f"{path}: cannot read the file: {error.strerror or error}") from None


def _split(path: Path, file: IO[bytes] | gzip.GzipFile) -> Iterator[str]:
    decoder = io.IncrementalNewlineDecoder(getincrementaldecoder("utf-8")(), translate=False)
    offset = number = 0
    rest = ""
    while True:
        chunk = file.read(_CHUNK)
        if offset == 0 and chunk.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise ImportFileError(f"{path}: the file is UTF-16: save it as CSV in UTF-8")
        start = offset
        offset += len(chunk)
        try:
            rest += decoder.decode(chunk.removeprefix(BOM_UTF8) if start == 0 else chunk, final=not chunk)
        except UnicodeDecodeError as error:
            at = offset - len(error.object) + error.start
            good = rest + error.object[: error.start].decode()
            line = number + len(_LINE_END.findall(good)) + 1
            cut = "" if chunk else "; if it is UTF-8, it is cut inside a letter: get it again"
            raise ImportFileError(
                f"{path}: line {line}, byte {at} (0x{error.object[error.start]:02x}) is not UTF-8: "
                f"save the file as CSV in UTF-8{cut}"
            ) from None
        end = 0
        for found in _LINE_END.finditer(rest):
            yield rest[end : found.end()]
            number, end = number + 1, found.end()
        rest = rest[end:]
        if not chunk or len(rest) > LONGEST_ROW:
            if rest:
                yield rest
            if not chunk:
                return
            rest = ""


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.name.lower().endswith((".csv", ".csv.gz")):
        return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")
    raise ImportFileError(f"{path}: leads are read from a .csv or .csv.gz file")
