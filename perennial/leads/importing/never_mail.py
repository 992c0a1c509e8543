"""What a row of a file says against mail, read before anything else can reject the row."""

import re
from contextlib import suppress
from dataclasses import dataclass

from nurture.errors import InputError
from nurture.people.addresses import try_normalise
from perennial.leads.importing.csv_rows import trimmed
from perennial.leads.importing.mapping import ImportedReason, LeadMapping

_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:|]+@[^\s<>()\[\]\"',;:|]*[^\s<>()\[\]\"',;:|.?!]")


@dataclass(frozen=True, slots=True)
class NeverMail:
    """What a row says against mail to somebody: why, and the addresses and id by which the person can be known."""

    reasons: tuple[ImportedReason, ...]
    email_keys: tuple[str, ...]
    external_id: str | None


def never_mail_of(
    values: tuple[str, ...], columns: tuple[str, ...], mapping: LeadMapping, not_given: set[str]
) -> NeverMail | None:
    """What a row that is left out says against mail, as far as it can be read; None if it says nothing.

    With a field too many or too few, as by a comma without quotation marks, it is read from its left end and from its
    right: what either says against mail holds, for whoever either names first.
    """
    rows = [values] if len(values) == len(columns) else [values, _from_the_right(values, len(columns))]
    read = [texts_given(row, columns, not_given) for row in rows]
    reasons: dict[ImportedReason, None] = {}
    for row, given in zip(rows, read, strict=True):
        for rule in mapping.suppress:
            with suppress(InputError, ValueError, IndexError, KeyError):
                if rule.applies(row[columns.index(rule.column)], given=bool(given[rule.column])):
                    reasons[rule.reason] = None
    if not reasons:
        return None
    keys = next((keys for given in read if (keys := _keys(given, mapping))), ())
    ids = [id_ for given in read if (id_ := given.get(mapping.lead.external_id or ""))]
    return NeverMail(tuple(reasons), keys, next(iter(ids), None))


def _keys(given: dict[str, str], mapping: LeadMapping) -> tuple[str, ...]:
    """The address of a row; of what is none, such as `Ann <ann@x.example>; bob@x.example`, each address in it."""
    try:
        text = mapping.lead.address(given)
    except KeyError:
        return ()
    if key := try_normalise(text):
        return (key,)
    within = [try_normalise(each) for each in _ADDRESS.findall(text)]
    return tuple(dict.fromkeys(key for key in within if key))


def _from_the_right(values: tuple[str, ...], columns: int) -> tuple[str, ...]:
    """A row laid against the last column; what is missing on the left is empty."""
    return ("",) * (columns - len(values)) + values[-columns:]


def texts_given(values: tuple[str, ...], columns: tuple[str, ...], not_given: set[str]) -> dict[str, str]:
    """The text of each column of a row; empty for one that means: not given."""
    return {
        column: "" if (text := trimmed(value)).casefold() in not_given else text
        for column, value in zip(columns, values, strict=False)
    }
