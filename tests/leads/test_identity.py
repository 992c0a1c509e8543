"""Who is who: visitors become leads, and nobody becomes somebody by accident."""

from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import Consent, Identity, LeadRow, ScoreEntry
from nurture.people.words import trait_words
from perennial.intake.outbox import Incoming, accept
from perennial.intake.visitors import attach_earlier, reattach, visitor_of
from perennial.leads.identity import Identities, write_identity
from perennial.leads.lookup import current_lead_ids, find_lead, find_named
from perennial.leads.suppressed_addresses import suppress_address
from perennial.leads.suppression import suppress, suppressions
from perennial.platform.database import Database
from tests.builders import NOON, SECRETS, consent_of, does, one, person, rows, settle

WHO = Identities(SECRETS)
AGREED = {"consent": {"basis": "consent", "source": "guide-form", "wording": "2026-03"}}


async def resolved(database: Database, **names: Any) -> str | None:
    """Whom the names mean; the visitor's earlier events go along, as when the relay reads an event."""
    visitor = {kind: names[kind] for kind in ("user_id", "anonymous_id") if kind in names}

    async def read(session: AsyncSession) -> str | None:
        lead_id = await WHO.resolve(session, at=NOON, **names)
        if lead_id is not None:
            await attach_earlier(session, lead_id, **visitor)
        return lead_id

    return await does(database, read)


async def viewed(database: Database, anonymous_id: str, *paths: str, state: str = "anonymous") -> None:
    """A visitor's page views, as the relay has put them aside."""
    events = [
        Incoming("segment", None, (path, anonymous_id), {"path": path}, NOON, anonymous_id=anonymous_id)
        for path in paths
    ]
    async with database.writing() as session:
        await accept(session, events)
        await session.execute(update(Event).values(state=state))


async def test_a_visitor_who_gives_an_address_becomes_a_lead(database: Database) -> None:
    """With its consent, its profile and its score; and it goes by both its ids from now on."""
    traits = AGREED | {"firstName": "Ada", "company": {"name": "Northwind"}, "industry": "Retail", "timezone": "Mars"}
    lead_id = await resolved(
        database, user_id="u-1", anonymous_id="a-1", email=" Ada@Example.com", traits=traits | {"country": "Germany"}
    )
    assert lead_id is not None
    lead = await one(database, lead_id)
    assert (lead.email, lead.email_key, lead.first_name, lead.company) == (
        "Ada@Example.com",
        "ada@example.com",
        "Ada",
        "Northwind",
    )
    assert (lead.traits, lead.country, lead.time_zone) == ({"industry": "retail"}, "DE", "Europe/Berlin")
    assert [(line.basis, line.source, line.wording) for line in await rows(database, Consent)] == [
        ("consent", "guide-form", "2026-03")
    ]
    assert [entry.rule for entry in await rows(database, ScoreEntry)] == ["right-industry"]
    assert {(name.kind, name.value) for name in await rows(database, Identity)} == {
        ("user", "u-1"),
        ("anonymous", "a-1"),
    }
    for names in ({"user_id": "u-1"}, {"anonymous_id": "a-1"}, {"email": "ADA@example.com"}):
        assert await resolved(database, **names) == lead_id


async def test_what_a_visitor_did_before_is_its_leads_from_then_on(database: Database) -> None:
    """The relay gets the earlier events again, in their order, and those of other visitors stay."""
    await viewed(database, "a-1", "/pricing", "/guide")
    await viewed(database, "a-2", "/other")
    lead_id = await resolved(database, anonymous_id="a-1", email="ada@example.com", traits=AGREED)
    states = [(event.body["path"], event.state, event.lead_id) for event in await rows(database, Event)]
    assert states == [("/pricing", "new", lead_id), ("/guide", "new", lead_id), ("/other", "anonymous", None)]


async def test_what_a_user_did_before_it_was_a_lead_is_its_leads_from_then_on(database: Database) -> None:
    """Only its user id was said; another user's page views, and those of a visitor of that name, stay as they were."""
    await viewed(database, str(visitor_of("u-1")), "/", "/pricing")
    await viewed(database, str(visitor_of("u-2")), "/other")
    await viewed(database, "u-1", "/visitor")

    lead_id = await resolved(database, user_id="u-1", email="ada@example.com", traits=AGREED)

    assert {(event.body["path"], event.state, event.lead_id) for event in await rows(database, Event)} == {
        ("/", "new", lead_id),
        ("/pricing", "new", lead_id),
        ("/other", "anonymous", None),
        ("/visitor", "anonymous", None),
    }


async def test_a_users_view_and_the_form_that_names_it_may_come_in_one_batch(database: Database) -> None:
    """The view is put aside after the form was read, and given again."""
    lead_id = await resolved(database, user_id="u-1", email="ada@example.com", traits=AGREED)
    await viewed(database, str(visitor_of("u-1")), "/pricing")
    (event,) = await rows(database, Event)

    assert await does(database, lambda session: reattach(session, [event.id])) == 1

    (event,) = await rows(database, Event)
    assert (event.state, event.lead_id) == ("new", lead_id)


async def test_events_that_were_taken_are_not_taken_twice(database: Database) -> None:
    """Each identify comes with the same visitor's id."""
    await viewed(database, "a-1", "/pricing", state="done")
    await resolved(database, anonymous_id="a-1", email="ada@example.com", traits=AGREED)
    assert [event.state for event in await rows(database, Event)] == ["done"]


async def test_a_view_and_the_form_that_names_it_may_come_in_one_batch(database: Database) -> None:
    """The view is put aside after the form was read."""
    await viewed(database, "a-1", "/pricing", state="new")
    lead_id = await resolved(database, anonymous_id="a-1", email="ada@example.com", traits=AGREED)
    await does(database, lambda s: s.execute(update(Event).values(state="anonymous")))
    (event,) = await rows(database, Event)
    assert await does(database, lambda s: reattach(s, [event.id])) == 1
    (event,) = await rows(database, Event)
    assert (event.state, event.lead_id) == ("new", lead_id)


async def test_resolving_again_changes_nothing(database: Database) -> None:
    """Browsers identify on every page."""
    first = await resolved(database, user_id="u-1", anonymous_id="a-1", email="ada@example.com", traits=AGREED)
    for _ in range(2):
        again = await resolved(database, user_id="u-1", anonymous_id="a-1", email="ada@example.com", traits=AGREED)
        assert again == first
    assert len(await rows(database, LeadRow)) == len(await rows(database, Consent)) == 1


@pytest.mark.parametrize(
    "traits", [{}, {"consent": True}, {"consent": {"basis": "whim"}}, {"consent": None}, {"consent": ["consent"]}]
)
async def test_without_a_basis_nobody_becomes_a_lead(database: Database, traits: dict[str, Any]) -> None:
    """An address alone is no permission to write to it."""
    assert await resolved(database, anonymous_id="a-1", email="ada@example.com", traits=traits) is None
    assert await rows(database, LeadRow) == []


@pytest.mark.parametrize("email", ["", "ada", "ada@", "ada@@example.com", "ada@localhost", "a" * 400 + "@example.com"])
async def test_what_is_no_address_makes_no_lead(database: Database, email: str) -> None:
    """A form may say anything."""
    assert await resolved(database, anonymous_id="a-1", email=email, traits=AGREED) is None


async def test_a_role_address_becomes_a_lead_that_is_never_mailed(database: Database) -> None:
    """Support can see who it was; marketing cannot write to info@."""
    lead_id = await resolved(database, email="info@example.com", traits=AGREED)
    assert lead_id is not None
    assert await does(database, lambda s: suppressions(s, lead_id)) == ("role-address",)


async def test_a_suppressed_address_makes_no_lead(database: Database) -> None:
    """Who was erased does not come back by a form that somebody fills in."""
    await does(database, lambda s: suppress_address(s, SECRETS, "eve@example.com", "erased", NOON))
    assert await resolved(database, email="Eve@Example.com", traits=AGREED) is None
    assert await rows(database, LeadRow) == []


async def test_an_erased_lead_is_nobodys(database: Database) -> None:
    """Not even by an id that was left behind."""
    await settle(database, person("ada", erased_at=NOON))
    await does(database, lambda s: s.merge(Identity(kind="user", value="u-1", lead_id="ada", at=NOON)))
    assert await resolved(database, user_id="u-1", anonymous_id="a-1") is None
    assert [name.kind for name in await rows(database, Identity)] == ["user"]


async def test_a_known_profile_is_filled_and_never_changed(database: Database) -> None:
    """Anybody can call our API from a browser in somebody's name."""
    await settle(database, person("ada", first_name="Ada", traits={"topic": "forecasting"}))
    said = {"firstName": "Mallory", "company": "Northwind", "topic": "dashboards", "industry": "retail"}
    assert await resolved(database, email="ada@example.com", traits=said) == "ada"
    lead = await one(database, "ada")
    assert (lead.first_name, lead.company) == ("Ada", "Northwind")
    assert lead.traits == {"topic": "forecasting", "industry": "retail"}


async def test_a_list_as_a_trait_stays_a_list_and_a_track_reads_its_first_word(database: Database) -> None:
    """Its words are slugs in any script; what is no word is left out."""
    await settle(database, person("ada", traits={}))
    said = {"industry": ["Retail", "制造业", None, "C++"], "topic": [], "seniority": {"a": 1}, "occupation": 7}
    assert await resolved(database, email="ada@example.com", traits=said) == "ada"
    lead = await one(database, "ada")
    assert lead.traits == {"industry": ["retail", "制造业", "c-plus-plus"], "occupation": "7"}
    assert trait_words(lead.traits) == {"industry": "retail", "occupation": "7"}


async def test_no_event_lifts_an_opt_out_or_grants_again(database: Database) -> None:
    """A form with a ticked box may be filled in by anyone."""
    await settle(database, person("ada"))
    await does(database, lambda s: suppress(s, "ada", "opt-out", NOON, source="page"))
    assert await resolved(database, email="ada@example.com", traits=AGREED) == "ada"
    assert await does(database, lambda s: suppressions(s, "ada")) == ("opt-out",)
    assert await consent_of(database, "ada") == "withdrawn"


async def test_a_user_keeps_its_lead_whatever_address_is_said_with_it(database: Database) -> None:
    """Neither does its mail go elsewhere by a call from a browser, nor do two leads become one."""
    await settle(database, person("ada"), person("bo"))
    assert await resolved(database, user_id="u-1", email="ada@example.com") == "ada"
    assert await resolved(database, user_id="u-1", email="bo@example.com", traits=AGREED) == "ada"
    assert await resolved(database, user_id="u-1", email="new@example.com", traits=AGREED) == "ada"
    assert (await one(database, "ada")).email == "ada@example.com"
    assert len(await rows(database, LeadRow)) == 2


async def test_a_browser_that_changes_hands_goes_along_with_its_new_user(database: Database) -> None:
    """Two colleagues at one desk: what comes after is the second one's."""
    await settle(database, person("ada"), person("bo"))
    assert await resolved(database, user_id="u-1", anonymous_id="a-1", email="ada@example.com") == "ada"
    assert await resolved(database, user_id="u-2", anonymous_id="a-1", email="bo@example.com") == "bo"
    assert await resolved(database, anonymous_id="a-1") == "bo"


async def test_a_user_nobody_knows_is_the_browsers_lead_unless_that_has_another_user(database: Database) -> None:
    """Who filled in a form and then signs up is one person; who signs up at another's desk is not."""
    await settle(database, person("ada"))
    assert await resolved(database, anonymous_id="a-1", email="ada@example.com") == "ada"
    assert await resolved(database, user_id="u-1", anonymous_id="a-1") == "ada"
    assert await resolved(database, user_id="u-2", anonymous_id="a-1") is None


async def test_nobody_is_found_by_nothing(database: Database) -> None:
    """Nor by an id that is too long to be stored."""
    assert await resolved(database) is None
    assert await resolved(database, user_id="nobody", anonymous_id="nobody") is None
    await settle(database, person("ada"))
    assert await resolved(database, user_id="u" * 200, email="ada@example.com") == "ada"
    assert await rows(database, Identity) == []


async def test_every_name_of_a_merged_lead_finds_the_lead_that_goes_on(database: Database) -> None:
    """Through any number of merges."""
    await settle(database, person("a", merged_into="b", external_id="ext-a"), person("b", merged_into="c"), person("c"))
    for kind, value in (("user", "u-a"), ("crm", "crm-a"), ("anonymous", "browser-a")):
        await does(database, lambda s, k=kind, v=value: write_identity(s, "a", k, v, NOON))
    for name in ("a", "A@example.com", "ext-a", "crm-a", "u-a"):
        lead = await does(database, lambda s, name=name: find_lead(s, name))
        assert lead is not None, name
        assert lead.id == "c", name
        assert await does(database, lambda s, name=name: find_named(s, name)) == "a"
    assert await does(database, lambda s: find_lead(s, "browser-a")) is None
    assert await does(database, lambda s: current_lead_ids(s, ["a", "b", "c"])) == dict.fromkeys("abc", "c")
    assert await resolved(database, email="a@example.com") == "c"


async def test_a_user_id_takes_no_name_from_another_lead(database: Database) -> None:
    """Any browser can claim to be the user whose id is somebody's address, id or external id."""
    await settle(database, person("ada", external_id="ext-1"), person("eve"))
    for name in ("ada", "ada@example.com", "ext-1"):
        await does(database, lambda s, name=name: write_identity(s, "eve", "user", name, NOON))
        lead = await does(database, lambda s, name=name: find_lead(s, name))
        assert lead is not None
        assert lead.id == "ada"


@pytest.mark.parametrize(
    ("user_id", "anonymous_id", "known"),
    [
        ("u1", "a1", "one"),
        ("u1", None, "one"),
        (None, "a1", "one"),
        ("u1", "a2", None),
        ("u1", "new", None),
        ("new", "a1", None),
        ("gone", None, None),
        ("merged", None, None),
        (None, None, None),
    ],
)
async def test_names_that_say_nothing_new_are_known_at_once(
    database: Database, user_id: str | None, anonymous_id: str | None, known: str | None
) -> None:
    """Only where all of them mean one lead that is neither erased nor merged away: the rest is for `resolve`."""
    await settle(database, *map(person, ("one", "two", "gone", "merged")))
    async with database.writing() as session:
        for lead_id, kind, value in (
            ("one", "user", "u1"),
            ("one", "anonymous", "a1"),
            ("two", "anonymous", "a2"),
            ("gone", "user", "gone"),
            ("merged", "user", "merged"),
        ):
            await write_identity(session, lead_id, kind, value, NOON)  # type: ignore[arg-type]
        await session.execute(update(LeadRow).where(LeadRow.id == "gone").values(erased_at=NOON))
        await session.execute(update(LeadRow).where(LeadRow.id == "merged").values(merged_into="two"))
    names = {"user_id": user_id, "anonymous_id": anonymous_id}
    assert await does(database, lambda session: WHO.known_by(session, **names)) == known
    if known is not None:
        assert await resolved(database, **names) == known
