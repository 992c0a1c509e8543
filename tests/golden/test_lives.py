"""The life loop in memory records what the workflow and its activities recorded on a real server."""

from datetime import datetime
from pathlib import Path

import pytest

from nurture.bench.life import Event, Life, QuietWorld
from nurture.journey.decision import AnyStep, Park
from nurture.journey.facts import AnyFact, Behaved, Deferred, Done, Exited, Overridden, Scored
from nurture.journey.journal import Journal
from nurture.journey.wording import say_fact
from perennial.app.programme import programme_of
from perennial.journeys.histories import read_history, replay_journey
from perennial.platform.settings import load_settings

FOLDER = Path(__file__).parent
NAMES = ("continued_as_new", "deferred", "lost_deal_to_its_end", "re_engagement_revived", "refused", "storm")
"""The histories in which every behaviour was signalled. In the others some came in with the next decision."""


class RecordedWorld(QuietWorld):
    """A world that happens as a journal says: its steps' results, its behaviours and its scores, in order."""

    def __init__(self, journal: Journal) -> None:
        self._left = [fact for fact in journal if _is_given(fact, journal)]

    def answer(self, step: AnyStep, now: datetime) -> Done | Deferred | Event:
        return self._take()

    def next_event(self, park: Park, now: datetime, by: datetime | None) -> Event | None:
        following = next((fact for fact in self._left if not isinstance(fact, Scored)), None)
        if following is None or isinstance(following, Done | Deferred) or (by is not None and following.at > by):
            return None
        return self._take()

    def score(self, now: datetime) -> Scored | None:
        first = self._left[0] if self._left else None
        return first if isinstance(first, Scored) and first.at == now else None

    def _take(self) -> Done | Deferred | Event:
        while isinstance(self._left[0], Scored):
            self._left.pop(0)
        return self._left.pop(0)


def _is_given(fact: AnyFact, journal: Journal) -> bool:
    """Whether the world, or a person, gave a fact; the others `plan` derived."""
    if isinstance(fact, Exited):
        return not any(isinstance(each, Behaved) and say_fact(each) == fact.reason for each in journal)
    return isinstance(fact, Done | Deferred | Behaved | Scored | Overridden)


def told(journal: Journal, kinds: set[str]) -> list[tuple[str, datetime, str]]:
    """What was recorded when, as far as it is of these kinds."""
    return [(fact.kind, fact.at, say_fact(fact)) for fact in journal if fact.kind in kinds]


@pytest.mark.parametrize("name", NAMES)
async def test_a_journey_of_the_server_lived_again_in_memory_leaves_the_same_journal(name: str) -> None:
    """Fact by fact, at the same moments: waits, choices, exits and the end are derived where the workflow had them."""
    recorded = await replay_journey([read_history(FOLDER / f"{name}.json")])
    programme = programme_of(load_settings())
    first = Journal(recorded.journal.facts[:1])
    life = Life(programme.tracks[recorded.track], first, RecordedWorld(recorded.journal), catalogue=programme.catalogue)
    life.live(until=recorded.now)
    kinds = {fact.kind for fact in recorded.journal}
    assert told(life.journal, kinds) == told(recorded.journal, kinds)
