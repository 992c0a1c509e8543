"""Deals from a CSV file: each row becomes a behaviour of its lead, as an event of the CRM does."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2s
from pathlib import Path

from nurture.errors import ImportFileError, InputError
from nurture.measures.money import read_money
from nurture.people.behaviours import BEHAVIOURS
from perennial.intake.reports import LONGEST_SUBJECT, Report
from perennial.leads.behaviours import when_told
from perennial.leads.importing.csv_rows import csv_rows, trimmed
from perennial.leads.importing.formulas import as_given

DEAL_PROPS = ("deal", "amount", "currency")
"""The properties of a deal's behaviours, beside its reason: `deal` is its id, `amount` a decimal number as text."""

EVENTS = ("deal.opened", "deal.won", "deal.lost")
COLUMNS = ("lead", "event", "at")
MORE_COLUMNS = (*DEAL_PROPS, "reason")


@dataclass(frozen=True, slots=True)
class DealRow:
    """One good row: `lead` names the lead in any way, `at` is as it was written, `props` are the behaviour's."""

    row: int
    lead: str
    event: str
    at: str
    props: dict[str, str]

    def report(self, lead_id: str, time_zone: str, now: datetime) -> Report:
        """The behaviour. Its id is the same whenever the row is read, so that it counts once. Raises InputError."""
        at, dated = when_told(self.at, time_zone, now)
        told = f"{self.event}\n{self.props.get('deal') or f'{lead_id} {self.at}'}"
        id_ = f"deal-{blake2s(told.encode(), digest_size=16).hexdigest()}"
        return Report(id_, lead_id, self.event, self.props | dated, at)


@dataclass(frozen=True, slots=True)
class BadDeal:
    """A row that is left out, and why."""

    row: int
    reason: str


def read_deals(path: Path) -> Iterator[DealRow | BadDeal]:
    """The rows of a file whose first row names its columns: lead, event, at; deal, amount, currency, reason if wanted.

    Raises ImportFileError for a file that is no such CSV.
    """
    rows = csv_rows(path, ",")
    columns = [trimmed(column).lower() for column in next(rows, [])]
    if missing := [column for column in COLUMNS if column not in columns]:
        raise ImportFileError(f"{path}: no column {missing[0]!r}; name {', '.join(COLUMNS)}, and {_more()} if wanted")
    if unknown := [column for column in columns if column not in (*COLUMNS, *MORE_COLUMNS)]:
        raise ImportFileError(f"{path}: unknown column {unknown[0]!r}; known: {', '.join((*COLUMNS, *MORE_COLUMNS))}")
    for row, values in enumerate(rows, start=2):
        if not any(map(trimmed, values)):
            continue
        if len(values) != len(columns):
            yield BadDeal(row, f"has {len(values)} fields, the header has {len(columns)}")
            continue
        try:
            yield _deal(row, dict(zip(columns, map(as_given, map(trimmed, values)), strict=True)))
        except InputError as error:
            yield BadDeal(row, str(error))


def _more() -> str:
    return ", ".join(MORE_COLUMNS)


def _deal(row: int, given: dict[str, str]) -> DealRow:
    event = given["event"] if given["event"] in EVENTS else f"deal.{given['event'].lower()}"
    if event not in EVENTS:
        raise InputError(f"event {given['event']!r} is none of opened, won, lost")
    props = {key: text[:LONGEST_SUBJECT] for key in DEAL_PROPS if (text := given.get(key, ""))}
    if "amount" in props or "currency" in props:
        money = read_money(props.get("amount", ""), props.get("currency"))
        props |= {"amount": str(money.amount), "currency": money.currency}
    if subject := BEHAVIOURS[event].subject:
        props[subject] = given.get("reason", "")
    return DealRow(row, given["lead"], event, given["at"], props)
