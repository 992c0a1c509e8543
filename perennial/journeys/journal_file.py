"""Read a journal from a JSON file: what `replay --json` or `export` wrote, or a bare list of facts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from models.journeys import DecisionRow
from nurture.errors import InputError
from nurture.journey.facts import AnyFact, Enrolled
from perennial.journeys.read_model import FACT

_REMEDY = "make it with `replay LEAD --json` or `export LEAD`"
_MOMENT: TypeAdapter[datetime] = TypeAdapter(datetime)
_MAYBE_MOMENT: TypeAdapter[datetime | None] = TypeAdapter(datetime | None)


@dataclass(frozen=True, slots=True)
class JournalFile:
    """A journal, its track if the file names one, and its decisions if the file has them."""

    track: str | None
    facts: Sequence[AnyFact]
    decisions: Sequence[DecisionRow] = ()


def read_journal(path: Path, track: str | None = None) -> JournalFile:
    """The journal in a file; of an `export` with several the one on `track`, else the latest. Raises InputError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot read the file: {error.strerror}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: is not JSON ({error}); {_REMEDY}") from None
    try:
        if isinstance(found, list):
            return JournalFile(track, _facts(found, path))
        if "enrolments" in found:
            return _exported(found, path, track)
        decisions = [_decision(each) for each in found.get("decisions", ()) if "over" in each]
        return JournalFile(track or found.get("track"), _facts(found["facts"], path), decisions)
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        what = f"{error.errors()[0]['loc']}" if isinstance(error, ValidationError) else str(error)
        raise InputError(f"{path}: is no journal ({type(error).__name__}: {what}); {_REMEDY}") from None


def _exported(found: dict[str, Any], path: Path, track: str | None) -> JournalFile:
    enrolments = [each for each in found["enrolments"] if track in {None, each["track"]}]
    if not enrolments:
        on = ", ".join(sorted({each["track"] for each in found["enrolments"]})) or "no track"
        raise InputError(f"{path}: holds no journey{f' on {track}' if track else ''}; it has {on}")
    one = max(enrolments, key=lambda each: str(each["started_at"]))
    rows = sorted((each for each in found["facts"] if each["enrolment_id"] == one["id"]), key=lambda each: each["seq"])
    taken = [each for each in found["decisions"] if each["enrolment_id"] == one["id"]]
    decisions = [_decision(each | {"over": each["seq"]}) for each in sorted(taken, key=lambda each: each["seq"])]
    return JournalFile(one["track"], _facts([each["fact"] for each in rows], path), decisions)


def _facts(found: Sequence[Any], path: Path) -> list[AnyFact]:
    facts = [FACT.validate_python(each) for each in found]
    if not facts or not isinstance(facts[0], Enrolled):
        raise InputError(f"{path}: a journal starts with the fact `enrolled`")
    if any(fact.at.tzinfo is None for fact in facts):
        raise InputError(f"{path}: a time without a zone; write 2026-03-01T09:00:00+00:00")
    return facts


def _decision(found: dict[str, Any]) -> DecisionRow:
    return DecisionRow(
        seq=int(found["over"]),
        at=_MOMENT.validate_python(found["at"]),
        next=str(found["next"]),
        until=_MAYBE_MOMENT.validate_python(found.get("until")),
        because=list(found.get("because") or ()),
    )
