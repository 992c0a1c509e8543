"""A trait's test as SQL, on SQLite's JSON functions and on PostgreSQL's; it answers as `TraitIs.holds` does."""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Double, String, and_, case, cast, func, literal, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from models.leads import BehaviourRow, LeadRow
from nurture.segments.predicates import Not
from nurture.segments.standing import COMPARE
from nurture.segments.traits import LONGEST_NUMBER, NUMBER_TEXT, TraitIs


def trait_clause(trait: TraitIs, *, sqlite: bool) -> ColumnElement[bool]:
    """Whether a lead's trait passes the test; the lead's own trait first, else its imported column. Never null."""
    own, imported = (_clause(trait, part, sqlite=sqlite) for part in (LeadRow.traits, LeadRow.segment))
    return func.coalesce(case((_has(LeadRow.traits, trait.name, sqlite=sqlite), own), else_=imported), False)


def prop_clause(prop: TraitIs | Not, *, sqlite: bool) -> ColumnElement[bool]:
    """Whether a behaviour's property passes the test. Never null."""
    if isinstance(prop, Not):
        assert isinstance(prop.part, TraitIs)
        return ~prop_clause(prop.part, sqlite=sqlite)
    return func.coalesce(_clause(prop, BehaviourRow.props, sqlite=sqlite), False)


def _has(part: Any, name: str, *, sqlite: bool) -> ColumnElement[bool]:
    return _type(part, name, sqlite=sqlite).is_not(None)


def _type(part: Any, name: str, *, sqlite: bool) -> ColumnElement[str]:
    """JSON's type of a value; null if there is none of that name."""
    return func.json_type(part, _path(name)) if sqlite else func.jsonb_typeof(_json(part, name))


def _json(part: Any, name: str) -> Any:
    return type_coerce(part, JSONB)[name]


def _path(name: str) -> str:
    return f'$."{name}"'


def _text(part: Any, name: str, *, sqlite: bool) -> ColumnElement[str]:
    """The value if it is text, else null."""
    value = func.json_extract(part, _path(name)) if sqlite else _json(part, name).astext
    kind = _type(part, name, sqlite=sqlite)
    return cast(case((kind == ("text" if sqlite else "string"), value)), String)


def _number(part: Any, name: str, *, sqlite: bool) -> ColumnElement[float]:
    """The value if it is a number, or text that is one, else null."""
    kind, text = _type(part, name, sqlite=sqlite), _text(part, name, sqlite=sqlite)
    value: Any = func.json_extract(part, _path(name)) if sqlite else _json(part, name).astext
    if sqlite:
        digits = case((func.substr(text, 1, 1) == "-", func.substr(text, 2)), else_=text)
        reads = and_(digits.op("GLOB")("[0-9]*"), digits.op("NOT GLOB")("*[^0-9.]*"))
    else:
        reads = text.op("~")(f"^{NUMBER_TEXT}$")
    reads = and_(reads, func.length(text) <= LONGEST_NUMBER, text.not_like("%.%.%"))
    is_number = kind.in_(("integer", "real")) if sqlite else kind == "number"
    return case((is_number, cast(value, Double)), (reads, cast(text, Double)))


def _day(part: Any, name: str, *, sqlite: bool) -> ColumnElement[str]:
    """The first ten letters of text that begins with a date, else null."""
    text = _text(part, name, sqlite=sqlite)
    glob, regex = f"{'[0-9]' * 4}-{'[0-9]' * 2}-{'[0-9]' * 2}*", "^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    reads = text.op("GLOB")(glob) if sqlite else text.op("~")(regex)
    day = case((reads, func.substr(text, 1, 10)))
    return day if sqlite else day.collate("C")


def _clause(trait: TraitIs, part: Any, *, sqlite: bool) -> ColumnElement[bool]:  # noqa: PLR0911 - a test each
    name = trait.name
    match trait.test, trait.value:
        case "is set", _:
            empty = func.coalesce(_text(part, name, sqlite=sqlite), "-") == ""
            return and_(_type(part, name, sqlite=sqlite) != "null", ~empty)
        case "before", str(day):
            return _day(part, name, sqlite=sqlite) < day
        case "on or after", str(day):
            return _day(part, name, sqlite=sqlite) >= day
        case "==", bool(value):
            kind = _type(part, name, sqlite=sqlite)
            return (
                kind == str(value).lower()
                if sqlite
                else and_(kind == "boolean", cast(_json(part, name).astext, Boolean) == value)
            )
        case "==", str(value):
            return _text(part, name, sqlite=sqlite) == value
        case "is one of", tuple(values):
            return _text(part, name, sqlite=sqlite).in_(values)
        case "contains", str(value):
            return _contains(part, name, value, sqlite=sqlite)
        case "starts with", str(value):
            return func.substr(_text(part, name, sqlite=sqlite), 1, len(value)) == value
        case test, float(value):
            compared: ColumnElement[bool] = COMPARE[test](_number(part, name, sqlite=sqlite), literal(value, Double))  # type: ignore[arg-type,assignment,index]  # columns compare as numbers do
            return compared
    raise AssertionError(trait)


def _contains(part: Any, name: str, value: str, *, sqlite: bool) -> ColumnElement[bool]:
    text = _text(part, name, sqlite=sqlite)
    within = (func.instr(text, value) if sqlite else func.strpos(text, value)) > 0
    kind = _type(part, name, sqlite=sqlite)
    if sqlite:
        each = func.json_each(part, _path(name)).table_valued("value", "type")
        listed = select(each.c.value).where(each.c.type == "text", each.c.value == value).exists()
    else:
        listed = _json(part, name).contains([value])
    return case((kind == "array", listed), else_=within)
