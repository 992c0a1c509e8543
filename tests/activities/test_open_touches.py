"""A send that was cut off: whatever the lead does next, its fate is settled first, and nobody is mailed twice."""

from __future__ import annotations

import pytest

from models.messages import Control
from models.touches import Touch
from nurture.journey.decision import Finish, Park
from nurture.journey.facts import Done
from nurture.journey.lead import Lead
from nurture.journey.matchers import opted_out
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import Track, track
from perennial.platform.database import Database
from tests.activities.room import Killed, Scripted, advance, advance_activity, advancing, enrolled, killed, woken_again
from tests.builders import only


@pytest.fixture
async def house(database: Database) -> Database:
    """Ada is on new-lead, on SQLite and on PostgreSQL."""
    await enrolled(database)
    return database


def version(first: str | None, delivery: str, was: str = "") -> Track:
    """The track with this first step."""

    @track("new-lead", exits_on=(opted_out,), delivery=delivery)  # type: ignore[arg-type]
    async def story(lead: Lead) -> Outcome:
        if first is not None:
            await lead.send(first, was=was or ())
        await lead.wait(days=3)
        return nurtured

    return story


@track("new-lead", exits_on=(opted_out,))
async def raises(lead: Lead) -> Outcome:
    """Code that fails."""
    raise ValueError


EDITS: dict[str, tuple[str | None, str]] = {"renamed": ("best-of", "welcome"), "taken out": (None, "")}


@pytest.mark.parametrize("knows", [True, False])
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("delivery", ["at_most_once", "at_least_once"])
@pytest.mark.parametrize("between", ["pause", "stuck", "nothing", "exit"])
async def test_a_send_that_was_cut_off_is_settled_whatever_the_next_version_does(
    house: Database, between: str, delivery: str, edit: str, *, knows: bool
) -> None:
    """The mail had left: it is the only one, the journal has it, and no touch stays under way."""
    provider = Scripted(after=[Killed()], knows=knows)
    old = version("welcome", delivery)
    async with killed():
        await advance(advance_activity(house, provider, old), advancing())
    asked = advancing()
    if between == "pause":
        asked = advancing(news=(Control(verb="pause", id="p"),))
        paused = await advance(advance_activity(house, provider, old), asked)
        asked = woken_again(asked, paused, news=(Control(verb="resume", id="r"),))
    elif between == "stuck":
        stuck = await advance(advance_activity(house, provider, raises), asked)
        asked = woken_again(asked, stuck)
    elif between == "exit":
        asked = advancing(news=(Control(verb="exit", id="e", reason="moved away"),))
    first, was = EDITS[edit]
    advanced = await advance(advance_activity(house, provider, version(first, delivery, was)), asked)
    touch = await only(house, Touch)
    assert (touch.step_key, touch.state) == ("send:welcome", "accepted" if knows else "unknown")
    assert isinstance(advanced.next, Finish if between == "exit" else Park)
    settled = [fact.key for fact in (*asked.facts, *advanced.all_facts) if isinstance(fact, Done)]
    assert settled == ["send:welcome"]
    assert provider.asked == 1
