"""What a track's author may write is bounded where it arises, or has room in both databases."""

from datetime import timedelta

from models.touches import Touch
from nurture.bench.life import Life
from nurture.journey.decision import AlertStep, Finish, HandOff
from nurture.journey.facts import Enrolled
from nurture.journey.journal import Journal
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome
from nurture.journey.track import LONGEST_NAME, track
from perennial.journeys.alerts import raise_alert
from perennial.journeys.read_model import write_facts, write_head
from perennial.platform.database import Database
from tests.builders import NOON, enrolment, person, settle, store, touch_values

LONG = "words " * 80
NAME = "n" * LONGEST_NAME
PIECE = "p" * 250


@track(NAME, was=("w" * LONGEST_NAME,))
async def wordy(lead: Lead) -> Outcome:
    await lead.send(PIECE)
    await lead.choose("e" * 300, ("a" * 300, "b" * 300))
    await lead.alert(LONG)
    await lead.hand_off("t" * 300, LONG)
    await lead.wait(days=1)
    await lead.do("d" * 300, LONG)
    return Outcome("o" * 300)


async def test_the_longest_words_of_a_track_fit_into_both_databases(database: Database) -> None:
    """Facts, heads and alerts of a whole life; the track's and the lead's ids are as long as they can be."""
    run = enrolment(track=NAME, lead_id="l" * 32, number=999)
    await settle(database, person(run.lead_id, email=f"{'a' * 64}@{'b' * 63}.example"))
    await store(database, run)
    life = Life(wordy, Journal([Enrolled(NOON, run.lead_id, cause=LONG)]), now=NOON)
    alerts = 0
    for turn in life.turns():
        following = turn.decision.next
        async with database.writing() as session:
            await write_head(session, run.id, turn.at, following, turn.decision.because)
            if isinstance(following, AlertStep | HandOff):
                await raise_alert(session, run.id, run.lead_id, following.key, LONG, turn.at)
                alerts += 1
    async with database.writing() as session:
        await write_facts(session, run.id, 0, life.journal.facts)
    assert alerts == 2
    assert isinstance(life.decision and life.decision.next, Finish)
    assert life.now >= NOON + timedelta(days=1)


async def test_a_touch_of_the_longest_names_fits(database: Database) -> None:
    """The piece's id is a file's name, which file systems bound."""
    run = enrolment(track=NAME, lead_id="l" * 32)
    await settle(database, person(run.lead_id))
    await store(database, run)
    values = touch_values("t" * 32, NAME, run.lead_id, piece=PIECE, step_key=f"send:{PIECE}~999", reason=LONG)
    await store(database, Touch(**values))
