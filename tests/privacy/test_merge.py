"""Two leads become one: what each brings, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from models.intake import Event
from models.journeys import Enrolment
from models.leads import BehaviourRow, Identity, LeadRow, ScoreEntry
from models.touches import Message, Touch
from nurture.errors import InputError, NotFoundError, RefusedError
from nurture.journey.lead import Lead
from nurture.journey.matchers import Matcher
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import Registry, track
from nurture.people.scoring import DEFAULT_MODEL
from perennial.intake.outbox import Incoming, accept
from perennial.journeys.send_request import lead_state_of, lock_subject
from perennial.leads import consent
from perennial.leads.identity import write_identity
from perennial.leads.lookup import find_lead
from perennial.leads.preferences import Preferences, preferences_of, set_break, set_topics
from perennial.leads.suppression import Reason, suppress, suppressions
from perennial.platform.database import Database
from perennial.privacy.merge import Merged, merge_leads, merge_rows, merged_leads
from tests.builders import NOON, consent_of, does, enrolment, one, person, rows, settle, store, touch

DAY = timedelta(days=1)


def enrolled(
    lead: str, track: str, number: int = 1, *, status: str = "active", days: int = 0, **more: Any
) -> Enrolment:
    return enrolment(track, lead, number, at=NOON + days * DAY, status=status, **more)


def sent(lead: str, track: str, step: str = "send:welcome", number: int = 1) -> Touch:
    stay_id, named = f"{track}/{lead}/{number}", f"t-{lead}-{track}-{step[-4:]}"
    return touch(named, track, lead, enrolment_id=stay_id, step_key=step, state="accepted")


async def merged(database: Database, keep: str = "keep", lose: str = "lose") -> Merged:
    return await does(database, lambda session: merge_rows(session, keep, lose, at=NOON))


@pytest.fixture
async def two(database: Database) -> Database:
    """Two leads, both with consent."""
    await settle(database, person("keep"), person("lose"))
    return database


@pytest.mark.parametrize(
    ("keep", "lose", "result"),
    [
        ("granted", "granted", "granted"),
        ("granted", "withdrawn", "withdrawn"),
        ("withdrawn", "granted", "withdrawn"),
        ("none", "granted", "none"),
        ("granted", "none", "granted"),
        ("none", "withdrawn", "withdrawn"),
    ],
)
async def test_the_stricter_consent_holds(database: Database, keep: str, lose: str, result: str) -> None:
    """A withdrawal goes along; a grant was given for another address, and does not."""
    await store(database, person("keep"), person("lose"))
    for lead, said in (("keep", keep), ("lose", lose)):
        async with database.writing() as session:
            if said == "granted":
                await consent.grant(session, lead, NOON, basis="consent", source="form")
            if said == "withdrawn":
                await consent.withdraw(session, lead, NOON, source="page")
    await merged(database)
    assert await consent_of(database, "keep") == result


async def test_suppressions_are_joined(two: Database) -> None:
    """Each with its own reason."""
    await does(two, lambda s: suppress(s, "keep", "manual", NOON, source="test"))
    await does(two, lambda s: suppress(s, "lose", "complaint", NOON, source="test"))
    await does(two, lambda s: suppress(s, "lose", "manual", NOON, source="test"))
    await merged(two)
    assert await does(two, lambda s: suppressions(s, "keep")) == ("complaint", "manual")


async def test_wishes_are_joined_to_the_stricter(two: Database) -> None:
    """The longer break, and every topic that either does not want."""
    await does(two, lambda s: set_break(s, "keep", NOON + DAY))
    await does(two, lambda s: set_break(s, "lose", NOON + 9 * DAY))
    await does(two, lambda s: set_topics(s, "keep", {"dashboards": True, "forecasting": False}, NOON))
    await does(two, lambda s: set_topics(s, "lose", {"dashboards": False, "forecasting": True, "other": True}, NOON))
    await merged(two)
    lead = await one(two, "keep")
    assert await does(two, lambda s: preferences_of(s, lead)) == Preferences(
        NOON + 9 * DAY, ("dashboards", "forecasting")
    )


async def test_the_profile_is_filled_and_the_score_counts_both(two: Database) -> None:
    """Behaviours and their points move; who the lead is by its joined profile scores once."""
    async with two.writing() as session:
        await session.execute(
            update(LeadRow).where(LeadRow.id == "keep").values(first_name="Ada", traits={"topic": "x"})
        )
        await session.execute(
            update(LeadRow)
            .where(LeadRow.id == "lose")
            .values(
                first_name="A.",
                company="Northwind",
                time_zone="Europe/Berlin",
                traits={"topic": "y", "industry": "retail"},
                segment={"list": "fair"},
            )
        )
    for whose, points in (("keep", 8), ("lose", 15)):
        await store(
            two,
            BehaviourRow(id=f"b-{whose}", lead_id=whose, name="email.clicked", at=NOON, received_at=NOON),
            ScoreEntry(
                lead_id=whose, rule="pricing", behaviour_id=f"b-{whose}", points=points, reason="looked", at=NOON
            ),
            ScoreEntry(lead_id=whose, rule="right-industry", behaviour_id="", points=5, reason="fit", at=NOON),
        )
    await merged(two)
    lead = await one(two, "keep")
    assert (lead.first_name, lead.company, lead.time_zone) == ("Ada", "Northwind", "Europe/Berlin")
    assert (lead.traits, lead.segment) == ({"topic": "x", "industry": "retail"}, {"list": "fair"})
    assert lead.score == 8 + 15 + 5
    assert {row.lead_id for row in await rows(two, BehaviourRow)} == {"keep"}
    assert {(row.lead_id, row.rule) for row in await rows(two, ScoreEntry)} == {
        ("keep", "pricing"),
        ("keep", "right-industry"),
    }


async def test_names_and_waiting_events_are_the_kept_ones(two: Database) -> None:
    """So that tomorrow's page view is the current lead's."""
    await does(two, lambda s: write_identity(s, "lose", "anonymous", "a-1", NOON))
    await does(two, lambda s: accept(s, [Incoming("segment", None, ("x",), {}, NOON, lead_id="lose")]))
    await merged(two)
    assert [(row.value, row.lead_id) for row in await rows(two, Identity)] == [("a-1", "keep")]
    assert [event.lead_id for event in await rows(two, Event)] == ["keep"]


async def test_the_address_and_id_of_the_one_that_went_find_the_kept_one(two: Database) -> None:
    """Old mails, old imports, old links."""
    await merged(two)
    assert (await one(two, "lose")).merged_into == "keep"
    found = await does(two, lambda s: find_lead(s, "lose@example.com", ["address"]))
    assert found is not None
    assert found.id == "keep"


async def test_caps_count_the_touches_of_both(two: Database) -> None:
    """Whichever journey asks next."""
    await store(two, enrolled("keep", "new-lead"), enrolled("lose", "lost-deal"), sent("keep", "new-lead"))
    await store(two, sent("lose", "lost-deal"), _message("t-lose-lost-deal-come", "lose"))
    await merged(two)
    async with two.transaction() as connection:
        place = await lock_subject(connection, "lost-deal/lose/1", "send:next", Matcher(()))
        standing = await lead_state_of(connection, place, NOON + DAY)
    assert len(standing.touches) == 2
    assert [row.lead_id for row in await rows(two, Message)] == ["keep"]


async def test_a_journey_on_a_track_of_its_own_goes_on(two: Database) -> None:
    """Under its own id; it is the current lead's, and so are the gate's answers to it."""
    await store(two, enrolled("keep", "new-lead"), enrolled("lose", "lost-deal"))
    assert (await merged(two)).exiting == ()
    subject = await does(two, lambda s: lock_subject(s, "lost-deal/lose/1", "send:next", Matcher(())))
    assert subject.recipient.id == "keep"


async def test_of_two_journeys_on_one_track_the_kept_ones_goes_on(two: Database) -> None:
    """The other is named, to exit; both remain in the story, and the one that goes on is the last of the track."""
    await store(two, enrolled("keep", "new-lead"), enrolled("lose", "new-lead", days=5))
    answer = await merged(two)
    assert answer == Merged("keep", ("new-lead/lose/1",))
    assert answer.reason == "merged into keep"
    enrolments = await rows(two, Enrolment)
    assert [(each.id, each.lead_id, each.number) for each in enrolments] == [
        ("new-lead/keep/1", "keep", 2),
        ("new-lead/lose/1", "keep", 1),
    ]


async def test_a_renamed_track_is_one_track(two: Database) -> None:
    """Under its old name and its new one: one of the two journeys exits, and the kept one's goes on."""
    await store(two, enrolled("keep", "new-lead"), enrolled("lose", "new-customer", days=5))

    @track("new-customer", was="new-lead")
    async def new_customer(lead: Lead) -> Outcome:
        await lead.send("welcome")
        return nurtured

    tracks = Registry((new_customer,))
    answer = await does(two, lambda session: merge_rows(session, "keep", "lose", at=NOON, tracks=tracks))
    assert answer.exiting == ("new-customer/lose/1",)
    assert {each.id: each.number for each in await rows(two, Enrolment)} == {
        "new-lead/keep/1": 2,
        "new-customer/lose/1": 1,
    }


async def test_past_stays_of_both_are_numbered_in_order_and_a_running_one_is_last(two: Database) -> None:
    """The last enrolment says whether the track may be entered again; new numbers give new ids."""
    over: dict[str, Any] = {"status": "finished", "ended_at": NOON + 90 * DAY}
    await store(
        two,
        enrolled("keep", "new-lead", 1, days=2, **over),
        enrolled("keep", "new-lead", 2, days=9, **over),
        enrolled("lose", "new-lead", 1, days=1, **over),
        enrolled("lose", "new-lead", 2, days=5),
        enrolled("lose", "lost-deal", 1, **over),
    )
    assert (await merged(two)).exiting == ()
    enrolments = sorted(await rows(two, Enrolment), key=lambda each: (each.track, each.number))
    assert [each.id for each in enrolments] == [
        "lost-deal/lose/1",
        "new-lead/lose/1",
        "new-lead/keep/1",
        "new-lead/keep/2",
        "new-lead/lose/2",
    ]
    assert [each.number for each in enrolments] == [1, 1, 2, 3, 4]


async def test_merging_again_changes_nothing_and_names_what_still_must_exit(two: Database) -> None:
    """After a crash between the commit and the signal, the same command does the rest."""
    await store(two, enrolled("keep", "new-lead"), enrolled("lose", "new-lead"))
    await does(two, lambda s: consent.withdraw(s, "lose", NOON, source="page"))
    first = await merged(two)
    before = [(row.id, row.number) for row in await rows(two, Enrolment)]
    assert await merged(two) == first
    assert await merged(two, "lose", "keep") == first
    assert [(row.id, row.number) for row in await rows(two, Enrolment)] == before
    await does(two, lambda s: s.execute(update(Enrolment).where(Enrolment.number == 1).values(status="finished")))
    assert (await merged(two)).exiting == ()


async def test_three_become_one_step_by_step(two: Database) -> None:
    """A kept lead can go in its turn."""
    await settle(two, person("last"))
    await merged(two)
    await merged(two, "last", "keep")
    assert await does(two, lambda s: merged_leads(s, "last")) == ("keep", "lose")
    await merged(two, "lose", "last")


@pytest.mark.parametrize(
    ("keep", "lose", "error"),
    [
        ("keep", "keep", InputError),
        ("keep", "nobody", NotFoundError),
        ("nobody", "lose", NotFoundError),
        ("gone", "lose", RefusedError),
        ("keep", "gone", RefusedError),
        ("keep", "went", RefusedError),
    ],
)
async def test_what_cannot_be_merged_is_refused(two: Database, keep: str, lose: str, error: type[Exception]) -> None:
    """Itself, nobody, the erased, and one that has gone elsewhere already; and nothing is changed."""
    await settle(two, person("other"), person("went", merged_into="other"), person("gone", erased_at=NOON))
    with pytest.raises(error):
        await merged(two, keep, lose)
    assert (await one(two, "lose")).merged_into is None


def _message(touch_id: str, lead: str) -> Message:
    return Message(touch_id=touch_id, lead_id=lead, to="x", sender="y", subject="s", text="t", html="h", at=NOON)


def test_the_score_has_the_rules_these_tests_speak_of() -> None:
    """A rule that goes counts nothing, and the sums here would be of others."""
    assert {rule.name for rule in DEFAULT_MODEL.engagement} >= {"pricing"}


@pytest.mark.parametrize("lead", ["keep", "lose"])
@pytest.mark.parametrize(
    ("reason", "told", "asked"),
    [("opt-out", ["lead.opted_out"], []), ("manual", [], ["lost-deal/keep/1", "new-lead/lose/1"])],
)
async def test_what_suppresses_one_ends_the_journeys_of_both(
    two: Database, lead: str, reason: Reason, told: list[str], asked: list[str]
) -> None:
    """Whichever is kept: on a track with a rule for it as a behaviour, else as an exit; merged twice, told once."""
    await store(two, enrolment("lost-deal", "keep"), enrolment("new-lead", "lose"))
    await does(two, lambda session: suppress(session, lead, reason, NOON, source="a person"))
    for _ in range(2):
        _, exits = await merge_leads(two, "keep", "lose", at=NOON + timedelta(hours=1))
    events = await rows(two, Event)
    assert [(event.lead_id, event.body["name"]) for event in events] == [("keep", name) for name in told]
    assert list(exits.enrolments) == asked
