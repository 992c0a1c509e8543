"""Old events from a file: history, which counts for scores and segments and moves no journey (docs/decisions/0015)."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2s
from pathlib import Path
from typing import Any

from nurture.errors import ImportFileError
from nurture.people.behaviours import behaviour_kind
from nurture.people.words import words_of
from perennial.intake.reports import LONGEST_REPORT_ID, Report
from perennial.leads.behaviours import when_told
from perennial.leads.importing.csv_rows import csv_rows, trimmed
from perennial.leads.importing.formulas import as_given
from perennial.leads.suppression import SUPPRESSES, WITHDRAWS

COLUMNS = ("lead", "event", "at", "subject", "id")
"""Who, what, when; then, if wanted, the page, piece, form or reason that it is about, and the event's own id."""

_NEEDED = COLUMNS[:3]
_OF_REJECTS = ("row", "reason")


@dataclass(frozen=True, slots=True)
class OldEvent:
    """One row as it is written, its fields in the order of COLUMNS; `wrong` says why it cannot be read."""

    row: int
    values: tuple[str, ...]
    wrong: str = ""

    @property
    def lead(self) -> str:
        """The lead's name, any that it goes by."""
        return self.values[0]

    def stop(self, lead_id: str, now: datetime) -> Report | None:
        """What a row that is rejected says against mail, as of now: whenever it was, it holds; None if nothing."""
        name = self.values[1]
        if SUPPRESSES.get(name) not in WITHDRAWS:
            return None
        told = "\n".join((lead_id, *self.values))
        id_ = f"backfill-{blake2s(told.encode(errors='replace'), digest_size=16).hexdigest()}"
        return Report(id_, lead_id, name, {}, now, history=True)

    def report(self, lead_id: str, time_zone: str, now: datetime) -> Report:
        """The behaviour, as history. Its id is the same whenever the row is read. Raises InputError."""
        _, name, text, subject, id_ = self.values
        kind = behaviour_kind(name)
        at, props = when_told(text, time_zone, now)
        told = f"{lead_id}\n{kind.name}\n{subject}\n{text}"
        if not id_ or len(id_) > LONGEST_REPORT_ID:
            id_ = f"backfill-{blake2s((id_ or told).encode(), digest_size=16).hexdigest()}"
        if kind.subject:
            props = {kind.subject: subject, **props}
        return Report(id_, lead_id, kind.name, props, at, history=True)


def read_events(path: Path) -> Iterator[OldEvent]:
    """The events of a `.csv` file with a header, or a `.jsonl` file with an object a line; either may be gzipped.

    A file of rejects is read again as it is. Raises ImportFileError for a file that is none of these.
    """
    return _json_lines(path) if path.name.removesuffix(".gz").endswith(".jsonl") else _csv(path)


def _csv(path: Path) -> Iterator[OldEvent]:
    rows = csv_rows(path, ",")
    columns = [as_given(trimmed(column)) for column in next(rows, [])]
    if missing := [column for column in _NEEDED if column not in columns]:
        raise ImportFileError(f"{path}: no column {missing[0]!r}; name {', '.join(_NEEDED)}, and subject, id if wanted")
    if unknown := [column for column in columns if column not in (*COLUMNS, *_OF_REJECTS)]:
        raise ImportFileError(f"{path}: unknown column {unknown[0]!r}; known: {', '.join(COLUMNS)}")
    for row, values in enumerate(rows, start=2):
        if any(map(trimmed, values)):
            given = dict(zip(columns, map(as_given, map(trimmed, values)), strict=False))
            wrong = "" if len(values) == len(columns) else f"has {len(values)} fields, the header has {len(columns)}"
            yield OldEvent(row, tuple(given.get(column, "") for column in COLUMNS), wrong)


def _json_lines(path: Path) -> Iterator[OldEvent]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for row, line in enumerate(lines, start=1):
                if line.strip():
                    yield _json_line(row, line)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ImportFileError(f"{path}: cannot be read as JSON lines in UTF-8: {error}") from None


def _json_line(row: int, line: str) -> OldEvent:
    try:
        given: Any = json.loads(line)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return OldEvent(row, ("",) * len(COLUMNS), "is no JSON object")
    return OldEvent(row, tuple(", ".join(words_of(given.get(column))) for column in COLUMNS))
