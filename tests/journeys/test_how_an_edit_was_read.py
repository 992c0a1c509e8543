"""Where a lead stands, as people are shown it: how an edit was read holds until a hold or a release ends it."""

from __future__ import annotations

import pytest

from models.journeys import FactRow
from nurture.journey.facts import AnyFact, Explained, Held, Released, TapeChoice
from perennial.journeys.read_model import FACT
from perennial.journeys.story import reading_of
from perennial.platform.database import Database
from tests.builders import NOON, ada, enrolment, store

SAID = "`terms` was put in behind this lead: skipped"
READ = Explained(NOON, 1.0, (SAID,), (TapeChoice(1, "send:terms", "skip"),))
HOLD = Held(NOON, ("`a` and `b` are gone",))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ([READ], (SAID,)),
        ([READ, HOLD], ()),
        ([READ, HOLD, Released(NOON, "send:z")], ()),
        ([HOLD, READ], (SAID,)),
        ([READ, Explained(NOON)], ()),
    ],
)
async def test_a_reading_holds_until_a_hold_a_release_or_another_reading(
    database: Database, facts: list[AnyFact], said: tuple[str, ...]
) -> None:
    """A lead that is held is told by what could not be explained, not by what was read before."""
    journey = enrolment()
    recorded = [
        FactRow(enrolment_id=journey.id, seq=seq, kind=fact.kind, at=NOON, fact=FACT.dump_python(fact, mode="json"))
        for seq, fact in enumerate(facts)
    ]
    await store(database, ada(), journey, *recorded)
    async with database.reading() as session:
        assert await reading_of(session, journey.id) == said
