"""How the columns of a file become leads: a TOML mapping. sample/mapping.toml explains every key."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from nurture.errors import ImportFileError, InputError, close_names
from nurture.people.behaviours import behaviour_kind
from nurture.people.names import NameOrder, split_name
from nurture.people.slugs import slug
from nurture.timing.days import day_in, tells_days
from perennial.leads.countries import valid_time_zone
from perennial.leads.importing.csv_rows import trimmed

ImportedReason: TypeAlias = Literal["opt-out", "complaint", "hard-bounce", "invalid-address"]

_IN_BRACES = re.compile(r"\{([^{}]+)\}")


def _zone(name: str) -> str:
    try:
        return valid_time_zone(name)
    except InputError as error:
        raise ValueError(error) from None


def _behaviour(name: str) -> str:
    try:
        return behaviour_kind(name).name
    except InputError as error:
        raise ValueError(error) from None


def in_any_case(table: Mapping[str, str], text: str) -> str | None:
    """What a table has for a text as written, or else in upper or lower case; None for none."""
    if text in table:
        return table[text]
    folded = _folded(text)
    return next((value for key, value in table.items() if _folded(key) == folded), None)


def _folded(text: str) -> str:
    """A text as it is compared: lower case, without what nobody sees at its ends, full-width letters as plain ones."""
    return trimmed(unicodedata.normalize("NFKC", text)).casefold()


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PersonColumns(_Part):
    """The columns of a lead's own fields; `email` is a column, or a template with columns in braces.

    A `full_name` is split by its order (`nurture.people.names`) where no column gives the first or the last name.
    """

    email: str
    external_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    full_name_order: NameOrder = "first-last"
    company: str | None = None
    country: str | None = None
    city: str | None = None
    time_zone: str | None = None
    default_time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"

    def names(self, row: dict[str, str]) -> tuple[str, str]:
        """The first and the last name of a row; empty for what is not given."""
        first = row[self.first_name] if self.first_name else ""
        last = row[self.last_name] if self.last_name else ""
        if self.full_name and not (first or last):
            return split_name(row[self.full_name], self.full_name_order)
        return first, last

    def address(self, row: dict[str, str]) -> str:
        """The address of a row; empty if a column of the template is."""
        if "{" not in self.email:
            return row[self.email]
        if not all(row[column] for column in _IN_BRACES.findall(self.email)):
            return ""
        return _IN_BRACES.sub(lambda column: row[column[1]], self.email)


class TraitColumn(_Part):
    """A column that becomes a trait: its text by the `values` table, other texts made slugs or dropped."""

    column: str
    values: dict[str, str] = Field(default_factory=dict)
    others: Literal["slug", "drop"] = "slug"

    @model_validator(mode="after")
    def _holds_slugs(self) -> "TraitColumn":
        if wrong := [value for value in self.values.values() if value != slug(value)]:
            raise ValueError(f"a trait is a slug: write {slug(wrong[0])!r}, not {wrong[0]!r}")
        return self

    def read(self, text: str) -> str:
        """The slug of a column's text; empty for none. Raises InputError for a text that no slug can keep."""
        known = in_any_case(self.values, text)
        if known is not None or self.others == "drop":
            return known or ""
        found = slug(text)
        if text and not found:
            raise InputError(f"{self.column} {text!r} has no letter or digit: mend it, or list it under not_given")
        return found


class SuppressionColumn(_Part):
    """A column with texts, in upper or lower case, that mean: never mail this lead, for `reason`.

    With `harmless`, a text in neither list is an error: a misspelt "yes" must not be mailed.
    """

    column: str
    values: tuple[str, ...] = Field(min_length=1)
    reason: ImportedReason = "opt-out"
    harmless: tuple[str, ...] | None = None

    def applies(self, text: str, *, given: bool) -> bool:
        """Whether a column's text suppresses; raises InputError for one that the mapping does not know."""
        folded = _folded(text)
        if folded in set(map(_folded, self.values)):
            return True
        if given and self.harmless is not None and folded not in set(map(_folded, self.harmless)):
            raise InputError(f"{self.column} {text.strip()!r} is in neither list of the mapping (reason {self.reason})")
        return False


class BehaviourColumn(_Part):
    """A column that says what a lead did before the import: each text's behaviour, and when it happened."""

    column: str
    values: dict[str, Annotated[str, AfterValidator(_behaviour)]] = Field(min_length=1)
    subject: str = Field(default="", max_length=255)
    time: str | None = None
    time_format: str | None = None
    days_before: float | None = Field(default=None, ge=0, le=36_500)

    @model_validator(mode="after")
    def _has_a_time(self) -> "BehaviourColumn":
        if self.time is None and self.days_before is None:
            raise ValueError("say when: `time` (a column) or `days_before` (days before the import)")
        return self

    def when(self, text: str) -> datetime | date:
        """The day in a column's text, or its moment, in UTC unless it says otherwise; raises InputError."""
        if self.time_format is None and (day := day_in(text)):
            return day
        try:
            at = (
                datetime.strptime(text, self.time_format)  # noqa: DTZ007 - given UTC below
                if self.time_format
                else datetime.fromisoformat(text)
            )
            if self.time_format and tells_days(self.time_format):
                return at.date()
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            form = self.time_format or "2026-03-31 or 2026-03-31T09:30:00+02:00"
            raise InputError(f"{self.time} {text!r} is no time; expected {form}") from None


class LeadMapping(_Part):
    """A mapping; `source` and `basis` go into the consent ledger."""

    source: str = Field(min_length=1, max_length=64)
    basis: Literal["consent", "legitimate-interest", "contract"]
    lead: PersonColumns
    not_given: tuple[str, ...] = ("",)
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    segment: tuple[str, ...] = ()
    traits: dict[str, TraitColumn] = Field(default_factory=dict)
    suppress: tuple[SuppressionColumn, ...] = ()
    behaviours: tuple[BehaviourColumn, ...] = ()

    def columns(self) -> dict[str, str]:
        """Every column that is read, and the key of the mapping that names it."""
        email = _IN_BRACES.findall(self.lead.email) or [self.lead.email]
        fields = ("external_id", "first_name", "last_name", "full_name", "company", "country", "city", "time_zone")
        named = [(column, "lead.email") for column in email]
        named += [(column, f"lead.{field}") for field in fields if (column := getattr(self.lead, field))]
        named += [(trait.column, f"traits.{name}") for name, trait in self.traits.items()]
        named += [(column, "segment") for column in self.segment]
        named += [(rule.column, "suppress") for rule in self.suppress]
        named += [(rule.column, "behaviours") for rule in self.behaviours]
        named += [(rule.time, "behaviours.time") for rule in self.behaviours if rule.time]
        columns: dict[str, str] = {}
        for column, key in named:
            columns.setdefault(column, key)
        return columns


def read_mapping(path: Path) -> LeadMapping:
    """The mapping in a TOML file; raises ImportFileError that names the file, the key and the remedy."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ImportFileError(f"{path}: cannot read the mapping: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ImportFileError(f"{path}: byte {error.start} is not UTF-8: save the mapping as UTF-8") from None
    return parse_mapping(text, path)


def parse_mapping(text: str, path: Path) -> LeadMapping:
    """The mapping in a TOML text; raises ImportFileError, as `read_mapping` does."""
    try:
        return LeadMapping.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ImportFileError(f"{path}: not TOML: {error}") from None
    except ValidationError as error:
        raise ImportFileError(f"{path}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, and how many more there are."""
    wrong = error.errors(include_url=False)
    at = ".".join(str(part) for part in wrong[0]["loc"])
    said = wrong[0]["msg"].removeprefix("Value error, ")
    match wrong[0]["type"]:
        case "extra_forbidden":
            said = "unknown key" + hint_at(str(wrong[0]["loc"][-1]), _keys(wrong[0]["loc"]))
        case "missing":
            said = "is missing; sample/mapping.toml shows how it is written"
        case _:
            said = said[:1].lower() + said[1:]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"{at}: {said}{more}"


def _keys(loc: tuple[int | str, ...]) -> list[str]:
    parts: dict[str, type[BaseModel]] = {
        "lead": PersonColumns,
        "traits": TraitColumn,
        "suppress": SuppressionColumn,
        "behaviours": BehaviourColumn,
    }
    part = parts.get(str(loc[0])) if len(loc) > 1 else None
    return list((part or LeadMapping).model_fields)


def hint_at(name: str, known: list[str]) -> str:
    """`; did you mean 'Email'?`, or else a list of what there is."""
    if near := close_names(name, known):
        return f"; did you mean {near[0]!r}?"
    return "; there are " + ", ".join(map(repr, known[:40])) + (", ..." if len(known) > 40 else "")
