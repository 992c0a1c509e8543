"""Read the rows of a CSV file, strictly: anything but CSV in UTF-8 is an error that says where."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from nurture.errors import ImportFileError

_LONGEST_LINE = 1_000_000  # bytes: a file without line ends is not read into memory whole


def csv_rows(path: Path, delimiter: str) -> Iterator[list[str]]:
    """The file's rows as lists; an empty line is an empty list. Raises ImportFileError."""
    reader = csv.reader(_lines(path), delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise ImportFileError(
            f"{path}: line {reader.line_num} is not CSV: {error}; look for a stray quotation mark"
        ) from None


def _lines(path: Path) -> Iterator[str]:
    """The file's lines as text; raises ImportFileError that names the line and the byte that is not UTF-8."""
    offset = 0
    try:
        with _opened(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), start=1):
                if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise ImportFileError(f"{path}: the file is UTF-16: save it as CSV in UTF-8")
                try:
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    at = offset + error.start + (3 if number == 1 and line.startswith(b"\xef\xbb\xbf") else 0)
                    raise ImportFileError(
                        f"{path}: line {number}, byte {at} (0x{error.object[error.start]:02x}) is not UTF-8: "
                        "save the file as CSV in UTF-8"
                    ) from None
                offset += len(line)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise ImportFileError(f"{path}: the gzip file is damaged or cut short: get it again") from None
    except OSError as error:
        raise ImportFileError(f"{path}: cannot read the file: {error.strerror or error}") from None


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.name.lower().endswith((".csv", ".csv.gz")):
        return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")
    raise ImportFileError(f"{path}: leads are read from a .csv or .csv.gz file")
