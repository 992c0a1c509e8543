"""A journal in a file: each form that a command writes, and what is wrong with others in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from nurture.errors import InputError
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.plan import NO_CONTENT
from nurture.journey.track import Registry, track
from perennial.journeys.journal_file import read_journal
from perennial.journeys.read_model import FACT
from perennial.journeys.retracing import retrace_journal
from tests.journals import Journey, at


@track("letters")
async def letters(lead: Lead) -> Outcome:
    await lead.send("one")
    await lead.wait(days=7)
    return nurtured


@track("letters")
async def letters_of_today(lead: Lead) -> Outcome:
    await lead.send("another")
    await lead.wait(days=7)
    return nurtured


FACTS = Journey(letters)
FACTS.go(1)
PLAIN = [FACT.dump_python(fact, mode="json") for fact in FACTS.journal]
DECISION = {"at": at().isoformat(), "next": "send one", "until": None, "because": ["enrolled"]}
EXPORT = {
    "enrolments": [
        {"id": "e1", "track": "letters", "started_at": "2026-03-02"},
        {"id": "e0", "track": "older", "started_at": "2026-01-02"},
    ],
    "facts": [{"enrolment_id": "e1", "seq": seq, "fact": fact} for seq, fact in enumerate(PLAIN)],
    "decisions": [{"enrolment_id": "e1", "seq": 1} | DECISION],
}


def written(folder: Path, document: Any) -> Path:
    file = folder / "journal.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("document", "decisions"),
    [(PLAIN, 0), ({"track": "letters", "facts": PLAIN, "decisions": [{"over": 1} | DECISION]}, 1), (EXPORT, 1)],
)
def test_a_journal_is_read_in_each_form(tmp_path: Path, document: Any, decisions: int) -> None:
    """A bare list needs its track named."""
    found = read_journal(written(tmp_path, document), "letters")
    assert list(found.facts) == list(FACTS.journal)
    assert (found.track, len(found.decisions)) == ("letters", decisions)


def test_each_step_that_todays_code_decides_otherwise_is_marked(tmp_path: Path) -> None:
    """The decision in the file beside today's."""
    file = written(tmp_path, EXPORT)
    same = retrace_journal(file, None, Registry((letters,)), NO_CONTENT, at(2))
    other = retrace_journal(file, None, Registry((letters_of_today,)), NO_CONTENT, at(2))
    assert [each.today for each in same.retraced] == [None]
    assert [each.today for each in other.retraced] == ["send another"]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("{", "is not JSON"),
        ("7", "is no journal"),
        ({"track": "letters"}, "is no journal"),
        ([], "starts with the fact `enrolled`"),
        ([{"kind": "danced"}], "is no journal"),
        ([PLAIN[0] | {"at": "2026-03-02T09:00:00"}], "a time without a zone"),
        (EXPORT | {"enrolments": []}, "holds no journey"),
        (PLAIN, "give --track"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path: Path, document: Any, says: str) -> None:
    """With the file's name, and what to do."""
    with pytest.raises(InputError, match=says) as found:
        retrace_journal(written(tmp_path, document), None, Registry((letters,)), NO_CONTENT, at(2))
    assert "\n" not in str(found.value)
