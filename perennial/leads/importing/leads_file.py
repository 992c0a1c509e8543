"""Leads read from a CSV file by a mapping: each row is a record, or a reject with its reason.

Rows are numbered as a spreadsheet shows them: the header is row 1. The file is read through once before its first
record is given, so that a file that cannot be read to its end is refused before anything is imported.
"""

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import IO

from nurture.errors import ImportFileError, InputError
from nurture.people.addresses import normalise
from perennial.leads.countries import country_code, time_zone_for, valid_time_zone
from perennial.leads.importing.csv_rows import csv_rows, trimmed
from perennial.leads.importing.formulas import as_given, as_text
from perennial.leads.importing.mapping import BehaviourColumn, ImportedReason, LeadMapping, hint_at, in_any_case
from perennial.leads.importing.never_mail import NeverMail, never_mail_of, texts_given

_OF_REJECTS = ("row", "reason")
_LONGEST = {"external_id": 128, "first_name": 128, "last_name": 128, "company": 200}


@dataclass(frozen=True, slots=True)
class ImportedBehaviour:
    """What a lead did before the import: at `at`, or, where the file does not say, `before` the import.

    A date is a day in the lead's own calendar.
    """

    name: str
    subject: str
    at: datetime | date | None
    before: timedelta


@dataclass(frozen=True, slots=True)
class LeadRecord:
    """One good row. A field that was not given is None, and missing from `traits` and `segment`."""

    row: int
    values: tuple[str, ...]
    email: str
    email_key: str
    external_id: str | None
    first_name: str | None
    last_name: str | None
    company: str | None
    country: str | None
    time_zone: str | None
    default_time_zone: str
    traits: dict[str, str]
    segment: dict[str, str]
    source: str
    basis: str
    suppress: tuple[ImportedReason, ...]
    behaviours: tuple[ImportedBehaviour, ...]

    def rejected(self, reason: str) -> "Reject":
        """The same row, left out."""
        never = NeverMail(self.suppress, (self.email_key,), self.external_id) if self.suppress else None
        return Reject(self.row, reason, self.values, never)


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that is left out: why, and its own values. What it says against mail holds all the same."""

    row: int
    reason: str
    values: tuple[str, ...]
    never_mail: NeverMail | None = None


@dataclass(frozen=True, slots=True)
class LeadsFile:
    """A file that reads to its end: its columns and how many rows follow the header."""

    columns: tuple[str, ...]
    rows: int


def check_file(path: Path, mapping: LeadMapping) -> LeadsFile:
    """Read the file through; raises ImportFileError if it cannot be read as leads by this mapping."""
    rows = csv_rows(path, mapping.delimiter)
    columns = tuple(trimmed(column) for column in next(rows, []))
    if columns[: len(_OF_REJECTS)] == _OF_REJECTS:
        columns = tuple(map(as_given, columns))
    if not columns:
        raise ImportFileError(f"{path}: the first row is empty: it must name the columns")
    wanted = mapping.columns()
    if missing := [column for column in wanted if column not in columns]:
        hint = _separator(columns, mapping.delimiter) or hint_at(missing[0], list(columns))
        more = f"; also missing: {', '.join(map(repr, missing[1:]))}" if len(missing) > 1 else ""
        raise ImportFileError(f"{path}: no column {missing[0]!r} (mapping: {wanted[missing[0]]}){hint}{more}")
    if twice := next((column for column in wanted if columns.count(column) > 1), None):
        raise ImportFileError(f"{path}: two columns are called {twice!r}: rename one of them")
    return LeadsFile(columns, sum(1 for row in rows if any(map(trimmed, row))))


def read_leads(path: Path, mapping: LeadMapping) -> Iterator[LeadRecord | Reject]:
    """The rows of a `.csv` or `.csv.gz` file in UTF-8, in order; empty rows are skipped.

    Raises ImportFileError, before the first row is given, as `check_file` does.
    """
    return _read(path, mapping, check_file(path, mapping).columns)


def _read(path: Path, mapping: LeadMapping, columns: tuple[str, ...]) -> Iterator[LeadRecord | Reject]:
    seen: dict[tuple[str, str], int] = {}
    never: dict[tuple[str, str], tuple[ImportedReason, ...]] = {}
    is_mended = columns[: len(_OF_REJECTS)] == _OF_REJECTS
    not_given = {text.strip().casefold() for text in mapping.not_given}
    for row, values in enumerate(csv_rows(path, mapping.delimiter), start=1):
        if row == 1 or not any(map(trimmed, values)):
            continue
        if is_mended:
            values = [*map(as_given, values)]  # noqa: PLW2901 - the row as it was before it was rejected
        try:
            record = _record(row, tuple(values), columns, mapping, not_given)
        except InputError as error:
            said = never_mail_of(tuple(values), columns, mapping, not_given)
            if said is not None:
                for key in _keys(said.email_keys, said.external_id):
                    never[key] = (*never.get(key, ()), *said.reasons)
            yield Reject(row, str(error), tuple(values), said)
            continue
        keys = _keys((record.email_key,), record.external_id)
        if twice := next((f"the same {key[0]} as row {seen[key]}" for key in keys if key in seen), None):
            yield record.rejected(twice)
            continue
        seen.update(dict.fromkeys(keys, row))
        if earlier := [reason for key in keys for reason in never.get(key, ())]:
            record = replace(record, suppress=tuple(dict.fromkeys((*record.suppress, *earlier))))
        yield record


def _keys(email_keys: Iterable[str], external_id: str | None) -> list[tuple[str, str]]:
    return [*(("address", key) for key in email_keys), *([("id", external_id)] if external_id else [])]


def _record(
    row: int, values: tuple[str, ...], columns: tuple[str, ...], mapping: LeadMapping, not_given: set[str]
) -> LeadRecord:
    """The record of a row; raises InputError that says what is wrong with the row."""
    if len(values) != len(columns):
        raise InputError(f"has {len(values)} fields, the header has {len(columns)}")
    if any("\0" in value for value in values):
        raise InputError("holds a NUL character, which is not text")
    lead = mapping.lead
    given = texts_given(values, columns, not_given)
    first, last = lead.names(given)
    named = {field: given[column] for field in ("external_id", "company") if (column := getattr(lead, field))}
    named |= {"first_name": first, "last_name": last}
    for field, text in named.items():
        if len(text) > _LONGEST[field]:
            raise InputError(
                f"{getattr(lead, field) or lead.full_name} is {len(text)} letters long, at most {_LONGEST[field]} fit"
            )
    if lead.external_id and not named["external_id"]:
        raise InputError(f"{lead.external_id} is empty")
    email = lead.address(given)
    key = normalise(email)
    country, zone = _country_and_zone(given, mapping)
    traits = {name: trait.read(given[trait.column]) for name, trait in mapping.traits.items()}
    return LeadRecord(
        row=row,
        values=values,
        email=email,
        email_key=key,
        external_id=named.get("external_id") or None,
        first_name=named.get("first_name") or None,
        last_name=named.get("last_name") or None,
        company=named.get("company") or None,
        country=country,
        time_zone=zone,
        default_time_zone=lead.default_time_zone,
        traits={name: text for name, text in traits.items() if text},
        segment={column: text for column in mapping.segment if (text := given[column])},
        source=mapping.source,
        basis=mapping.basis,
        suppress=tuple(dict.fromkeys(_suppressions(values, columns, given, mapping))),
        behaviours=tuple(_behaviours(given, mapping.behaviours)),
    )


def _country_and_zone(given: dict[str, str], mapping: LeadMapping) -> tuple[str | None, str | None]:
    """(country code, time zone) of a row; a zone that is not given is the country's."""
    lead = mapping.lead
    written = given[lead.country] if lead.country else ""
    country = country_code(written)
    if written and country is None:
        raise InputError(f"unknown {lead.country} {written!r}: mend it, or list it under not_given")
    if lead.time_zone and given[lead.time_zone]:
        return country, valid_time_zone(given[lead.time_zone])
    city = given[lead.city] if lead.city else None
    return country, time_zone_for(country, city) if country else None


def _suppressions(
    values: tuple[str, ...], columns: tuple[str, ...], given: dict[str, str], mapping: LeadMapping
) -> list[ImportedReason]:
    return [
        rule.reason
        for rule in mapping.suppress
        # As written, because "None" may be not given elsewhere and an answer here.
        if rule.applies(values[columns.index(rule.column)], given=bool(given[rule.column]))
    ]


def _behaviours(given: dict[str, str], rules: Iterable[BehaviourColumn]) -> Iterator[ImportedBehaviour]:
    for rule in rules:
        name = in_any_case(rule.values, given[rule.column])
        text = given[rule.time] if rule.time else ""
        if name and (text or rule.days_before is not None):
            at = rule.when(text) if text else None
            yield ImportedBehaviour(name, rule.subject, at, timedelta(days=rule.days_before or 0))


def _separator(columns: tuple[str, ...], delimiter: str) -> str:
    """A hint, if the header looks as though another character separates its columns."""
    other = next((mark for mark in ";\t|," if mark != delimiter and mark in columns[0]), None)
    if len(columns) > 1 or other is None:
        return ""
    return f": the columns seem to be separated by {other!r}; write delimiter = {other!r} in the mapping"


def rejects_path(path: Path) -> Path:
    """Where the rejects of a file go: beside it, as `FILE.rejects.csv`."""
    return path.with_name(f"{path.name}.rejects.csv")


@contextmanager
def rejects_file(path: Path, columns: tuple[str, ...]) -> Iterator[Callable[[Reject], None]]:
    """Give a function that writes rejects to `path`: row, reason and the row's own columns, no cell as a formula.

    The file appears, readable by its owner only, when the block ends well; it is begun with the first reject, so that a
    folder that cannot be written is no fault of a file without any. Without rejects, the file of an earlier import is
    deleted. Raises ImportFileError if it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.unfinished")
    file: IO[str] | None = None

    def write(reject: Reject) -> None:
        nonlocal file
        with _writing(path):
            if file is None:
                descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                file = open(descriptor, "w", encoding="utf-8", newline="")  # noqa: PTH123, SIM115 - a descriptor, closed below
                csv.writer(file).writerow([*_OF_REJECTS, *map(as_text, columns)])
            csv.writer(file).writerow([reject.row, *map(as_text, (reject.reason, *reject.values))])

    try:
        yield write
        with _writing(path):
            if file is not None:
                file.close()
                unfinished.replace(path)
            elif path.exists():
                path.unlink()
    finally:
        if file is not None:
            file.close()
            unfinished.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImportFileError(
            f"{path}: cannot write the rejects: {error.strerror or error}; name another file by --rejects"
        ) from None
