"""Propose a mapping for a file of leads from its header, as TOML for a person to read, mend and keep."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nurture.errors import ImportFileError
from nurture.people.addresses import try_normalise
from nurture.people.slugs import slug
from perennial.leads.importing.csv_rows import csv_rows, trimmed
from perennial.leads.importing.leads_file import LeadRecord, read_leads
from perennial.leads.importing.mapping import LeadMapping, parse_mapping

_ROWS = 50
"""How many rows are looked at."""
_DELIMITERS = ",;\t|"

_LEAD = {
    "external_id": "lead-id contact-id record-id customer-id prospect-id external-id lead-number crm-id id",
    "email": "email e-mail email-address e-mail-address mail work-email email-adresse e-mail-adresse courriel correo",
    "first_name": "first first-name given-name forename firstname vorname prenom nombre",
    "last_name": "last last-name surname family-name lastname nachname nom-de-famille apellidos",
    "full_name": "full-name name contact-name lead-name fullname contact",
    "company": "company company-name account account-name organisation organization employer firma entreprise empresa",
    "country": "country country-region country-code land pays pais",
    "city": "city town ort stadt ville ciudad",
    "time_zone": "time-zone timezone zeitzone",
}
_TRAITS = {
    "industry": "industry sector branche secteur",
    "topic": "topic interest interests thema",
    "seniority": "seniority job-level level",
    "occupation": "occupation job-title role position",
    "company-size": "company-size employees number-of-employees",
    "source": "source lead-source lead-origin",
}
_OPT_OUT = (
    "opt-out opted-out email-opt-out e-mail-opt-out unsubscribed do-not-email do-not-mail do-not-contact"
    " has-opted-out-of-email"
)
_OPT_IN = "opt-in opted-in email-opt-in e-mail-opt-in subscribed"
_YES, _NO = ["yes", "true", "1", "y", "x"], ["no", "false", "0", "n"]


_NOT_GIVEN = ["", "n/a", "none", "unknown", "not known", "-"]
_UNDECIDED = "?"
"""The basis is for a person to say: the proposal is refused as it is."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which column is what; of one that says who opted out, the texts for that and the harmless ones."""

    lead: Mapping[str, str]
    traits: Mapping[str, str]
    out: Sequence[tuple[str, list[str], list[str]]]
    left_out: Sequence[str]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mapping as TOML, its basis left open, the columns it leaves out, and the first lead it reads, if any."""

    toml: str
    left_out: tuple[str, ...]
    sample: LeadRecord | None


def propose(path: Path) -> Proposal:
    """What the header, and the first rows, say about the columns. It reads the file and changes nothing.

    Raises ImportFileError for a file that cannot be read, and for one without a column of addresses.
    """
    delimiter, header, rows = _read(path)
    columns = list(dict.fromkeys(column for column in header if column))
    spelled = {slug(column): column for column in reversed(columns)}
    lead = _known(_LEAD, spelled)
    if "email" not in lead:
        address = next((each for each in columns if _holds_addresses(rows, header.index(each))), None)
        if address is None:
            raise ImportFileError(
                f"{path}: no column looks like an e-mail address; write a mapping as sample/mapping.toml does"
            )
        lead["email"] = address
    if "first_name" in lead or "last_name" in lead:
        lead.pop("full_name", None)
    traits = _known(_TRAITS, spelled)
    out = [(column, _YES, _NO) for name in _OPT_OUT.split() if (column := spelled.get(name))]
    out += [(column, _NO, _YES) for name in _OPT_IN.split() if (column := spelled.get(name))]
    used = {*lead.values(), *traits.values(), *(column for column, *_ in out)}
    left_out = tuple(column for column in columns if column not in used)
    toml = _toml(path, delimiter, _Columns(lead, traits, out, left_out))
    decided = toml.replace(f"basis = {_said(_UNDECIDED)}", 'basis = "consent"')
    return Proposal(toml, left_out, _sample(path, parse_mapping(decided, path)))


def _read(path: Path) -> tuple[str, list[str], list[list[str]]]:
    """The delimiter that parts the header best, the columns, and the first rows."""
    best: tuple[str, list[list[str]]] = (",", [])
    faults: list[ImportFileError] = []
    for delimiter in _DELIMITERS:
        try:
            rows = list(islice(csv_rows(path, delimiter), _ROWS))
        except ImportFileError as fault:  # as of a quoted text that another delimiter ends
            faults.append(fault)
            continue
        if rows and (not best[1] or len(rows[0]) > len(best[1][0])):
            best = delimiter, rows
    if len(faults) == len(_DELIMITERS):
        raise faults[0]
    if not best[1] or not any(best[1][0]):
        raise ImportFileError(f"{path}: the first row is empty: it must name the columns")
    return best[0], [trimmed(column) for column in best[1][0]], best[1][1:]


def _known(words: Mapping[str, str], spelled: Mapping[str, str]) -> dict[str, str]:
    """For each key the column whose name is one of its words, the first of them."""
    found = {key: [spelled[word] for word in said.split() if word in spelled] for key, said in words.items()}
    return {key: those[0] for key, those in found.items() if those}


def _holds_addresses(rows: Sequence[Sequence[str]], at: int) -> bool:
    values = [row[at].strip() for row in rows if len(row) > at and row[at].strip()]
    return bool(values) and 2 * sum(try_normalise(value) is not None for value in values) > len(values)


def _toml(path: Path, delimiter: str, columns: _Columns) -> str:
    name = slug(path.name.split(".")[0])[:64] or "import"
    lines = [
        f"# Proposed from the header of {json.dumps(path.name)[1:-1]}: read it, mend it. sample/mapping.toml explains.",
        f"source = {_said(name)}",
        '# On which basis may these leads be written to: "consent", "legitimate-interest" or "contract"?',
        f"basis = {_said(_UNDECIDED)}",
        f"delimiter = {_said(delimiter)}",
        f"not_given = {_said(_NOT_GIVEN)}",
    ]
    if columns.left_out:
        lines += ["# Columns to choose leads by later; they are not scored.", f"# segment = {_said(columns.left_out)}"]
    lines += ["", "[lead]", *(f"{key} = {_said(column)}" for key, column in columns.lead.items())]
    if "full_name" in columns.lead:
        lines.append('full_name_order = "first-last"')
    for trait, column in columns.traits.items():
        lines += ["", f"[traits.{trait}]", f"column = {_said(column)}"]
    if not columns.out:
        lines += ["", "# No column says who opted out. If the file knows, add [[suppress]]."]
    for column, never, harmless in columns.out:
        lines += ["", "[[suppress]]", f"column = {_said(column)}"]
        lines += [f"values = {_said(never)}", f"harmless = {_said(harmless)}"]
    return "\n".join(lines) + "\n"


def _said(value: str | Sequence[str]) -> str:
    """TOML writes texts and lists of texts as JSON does."""
    return json.dumps(value, ensure_ascii=False)


def _sample(path: Path, mapping: LeadMapping) -> LeadRecord | None:
    return next((each for each in islice(read_leads(path, mapping), _ROWS) if isinstance(each, LeadRecord)), None)
