"""`--where` filters such as `industry=retail score>=40`: read the conditions, and make SQL of them.

A condition is NAME=VALUE, NAME!=VALUE, or for numbers and dates also NAME>=VALUE, <=, >, <. Several are joined by
spaces or AND, and all must hold. A name is a column of the leads, one of their traits, a column of their segment, or
`track`, on which a lead is now. A list without quotation marks, `industry=finance,healthcare`, means any of its values.
"""

import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    String,
    and_,
    any_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from models.journeys import Enrolment
from models.leads import LeadRow
from nurture.errors import InputError, close_names
from nurture.people.scoring import Score
from perennial.leads.scores_now import ScoresNow

TEXTS: dict[str, InstrumentedAttribute[Any]] = {
    "id": LeadRow.id,
    "email": LeadRow.email,
    "external_id": LeadRow.external_id,
    "first_name": LeadRow.first_name,
    "last_name": LeadRow.last_name,
    "company": LeadRow.company,
    "time_zone": LeadRow.time_zone,
    "country": LeadRow.country,
    "stage": LeadRow.stage,
    "band": LeadRow.band,
}
ORDERED: dict[str, InstrumentedAttribute[Any]] = {"score": LeadRow.score, "created_at": LeadRow.created_at}
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}

_SCORED = frozenset({"score", "stage", "band"})

_QUOTED = r""""[^"]*"|'[^']*'"""
_JOINED = re.compile(r"\s*(?:AND\b\s*)?", re.IGNORECASE)
_CONDITION = re.compile(rf"(?P<name>{_QUOTED}|[\w-]+)\s*(?P<op>!=|>=|<=|=|>|<)\s*(?P<value>{_QUOTED}|[^\s\"'=<>!]+)")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: a name, an operator and a value as they were written, without quotation marks."""

    name: str
    op: str
    value: str
    quoted: bool = field(default=False, compare=False)

    @property
    def wanted(self) -> list[str]:
        """The values of which any will do, in lower case."""
        values = [self.value] if self.quoted else self.value.split(",")
        return [each.lower() for each in values if each] or [""]

    def __str__(self) -> str:
        return f"{self.name}{self.op}{self.value}"


def parse_where(text: str) -> tuple[Condition, ...]:
    """The conditions of a filter. Raises InputError that shows where it stops making sense."""
    found: list[Condition] = []
    at = 0
    while at < len(text) and (at := _joint(text, at)) < len(text):
        match = _CONDITION.match(text, at)
        if match is None:
            raise InputError(
                f"--where is not understood from {text[at:]!r} on; write NAME=VALUE, NAME!=VALUE or score>=40, "
                "with quotation marks around what holds spaces"
            )
        found.append(
            Condition(_plain(match["name"]), match["op"], _plain(match["value"]), match["value"][:1] in {'"', "'"})
        )
        at = match.end()
        if at < len(text) and not text[at].isspace():
            raise InputError(f"--where is not understood at {text[at:]!r}; put a space between conditions")
    for each in found:
        _require_comparable(each)
    if not found:
        raise InputError("--where is empty; write a condition such as industry=retail, or use --all")
    return tuple(found)


async def where_clause(
    session: AsyncSession, conditions: tuple[Condition, ...], scores: ScoresNow | None = None
) -> ColumnElement[bool]:
    """The conditions as SQL over `LeadRow`, without erased and merged leads. Raises InputError that lists the names.

    Scores, stages and bands are those of now; without `scores`, as they are stored.
    """
    of_scores = [each for each in conditions if each.name.lower() in _SCORED]
    others = [await _clause(session, each) for each in conditions if each not in of_scores]
    clause = and_(LeadRow.erased_at.is_(None), LeadRow.merged_into.is_(None), *others)
    stored = [await _clause(session, each) for each in of_scores]
    if scores is None or not of_scores:
        return and_(clause, *stored)
    faded = await scores.faded(session, clause)
    meant = [lead_id for lead_id, score in faded.items() if all(_holds(each, score) for each in of_scores)]
    return and_(clause, or_(and_(*stored, ~among(session, list(faded))), among(session, meant)))


def _holds(condition: Condition, score: Score) -> bool:
    name = condition.name.lower()
    if name == "score":
        return bool(OPERATORS[condition.op](score.total, _number(condition)))
    return ((score.stage if name == "stage" else score.band) in condition.wanted) == (condition.op == "=")


def among(session: AsyncSession, lead_ids: list[str]) -> ColumnElement[bool]:
    """Whether a lead is one of these, however many they are."""
    if session.get_bind().dialect.name == "postgresql":
        return LeadRow.id == any_(literal(lead_ids, ARRAY(String)))
    return LeadRow.id.in_(select(func.json_each(json.dumps(lead_ids)).table_valued("value").c.value))


async def _clause(session: AsyncSession, condition: Condition) -> ColumnElement[bool]:
    name = condition.name.lower()
    if name in ORDERED:
        value = _number(condition) if name == "score" else _moment(condition)
        compared: ColumnElement[bool] = OPERATORS[condition.op](ORDERED[name], value)
        return compared
    wanted = condition.wanted
    held: ColumnElement[bool]
    if name == "track":
        running = select(Enrolment.lead_id).where(Enrolment.track.in_(wanted), Enrolment.status != "finished")
        held = LeadRow.id.in_(running)
    elif name in TEXTS:
        held = func.lower(func.coalesce(TEXTS[name], "")).in_(wanted)
    else:
        stored = await _stored_name(session, condition.name)
        held = or_(*(_says(session, part, stored, wanted) for part in (LeadRow.traits, LeadRow.segment)))
        held = func.coalesce(held, False)
    return held if condition.op == "=" else ~held


def _says(session: AsyncSession, part: Any, name: str, wanted: list[str]) -> ColumnElement[bool]:
    """Whether a value, or one of those in a list, is among the wanted."""
    if session.get_bind().dialect.name == "sqlite":
        each = func.json_each(part, f'$."{name}"').table_valued("value")
    else:
        value = type_coerce(part, JSONB)[name]
        listed = case((func.jsonb_typeof(value) == "array", value), else_=literal([], JSONB))
        each = func.jsonb_array_elements_text(listed).table_valued("value")
    one = select(each.c.value).where(func.lower(cast(each.c.value, String)).in_(wanted)).exists()
    return or_(func.lower(part[name].as_string()).in_(wanted), one)


async def _stored_name(session: AsyncSession, name: str) -> str:
    """A trait's or segment column's name as it is stored, whatever its case."""
    exact = or_(*(part[name].as_string().is_not(None) for part in (LeadRow.traits, LeadRow.segment)))
    if await session.scalar(select(LeadRow.id).where(exact).limit(1)):
        return name
    known = await names_of(session)
    for each in known:
        if each.lower() == name.lower():
            return each
    everything = [*TEXTS, *ORDERED, "track", *known]
    close = close_names(name, everything)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(map(_quoted, everything))}"
    raise InputError(f"--where {name}: no lead has a column or trait of that name; {hint}")


async def names_of(session: AsyncSession) -> list[str]:
    """The names of every trait, then of every segment column, that any lead has."""
    keys = func.json_each if session.get_bind().dialect.name == "sqlite" else func.jsonb_each
    names: dict[str, None] = {}
    for part in (LeadRow.traits, LeadRow.segment):
        each = keys(part).table_valued("key", name="each")
        found = select(each.c.key).select_from(LeadRow).join(each, true()).distinct().order_by("key")
        names |= dict.fromkeys(await session.scalars(found))
    return list(names)


def _number(condition: Condition) -> int:
    try:
        return int(condition.value)
    except ValueError:
        raise InputError(f"--where {condition}: a score is a whole number from 0 to 100") from None


def _moment(condition: Condition) -> datetime:
    try:
        moment = datetime.fromisoformat(condition.value)
    except ValueError:
        raise InputError(f"--where {condition}: write the date as 2026-03-01") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _require_comparable(condition: Condition) -> None:
    """Raise InputError for a value or operator that no lead can meet."""
    name = condition.name.lower()
    if name in ORDERED:
        _ = _number(condition) if name == "score" else _moment(condition)
    elif condition.op not in {"=", "!="}:
        raise InputError(f"--where {condition}: only {' and '.join(ORDERED)} can be compared by {condition.op}")


def _joint(text: str, at: int) -> int:
    match = _JOINED.match(text, at)
    return match.end() if match else at


def _plain(text: str) -> str:
    return text[1:-1] if text[:1] in {'"', "'"} else text


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else f'"{name}"'


async def select_leads(
    session: AsyncSession, where: str | None, scores: ScoresNow, within: ColumnElement[bool] | None = None
) -> list[str]:
    """The ids of the leads that a filter finds (None: all but the erased) among those `within`, oldest first.

    Raises InputError.
    """
    clause = await _clause_of(session, where, scores, within)
    return list(await session.scalars(select(LeadRow.id).where(clause).order_by(LeadRow.created_at, LeadRow.id)))


async def warmest_leads(
    session: AsyncSession,
    where: str | None,
    limit: int,
    scores: ScoresNow,
    within: ColumnElement[bool] | None = None,
) -> tuple[int, list[tuple[LeadRow, Score]]]:
    """How many leads a filter finds among those `within`, and the `limit` with the highest scores of now.

    Raises InputError.
    """
    clause = await _clause_of(session, where, scores, within)
    total = await session.scalar(select(func.count()).select_from(LeadRow).where(clause)) or 0
    found = await scores.warmest(session, clause, limit)
    return total, [(await session.get_one(LeadRow, lead_id), score) for lead_id, score in found]


async def _clause_of(
    session: AsyncSession, where: str | None, scores: ScoresNow, within: ColumnElement[bool] | None
) -> ColumnElement[bool]:
    clause = await where_clause(session, parse_where(where) if where is not None else (), scores)
    return clause if within is None else and_(clause, within)
