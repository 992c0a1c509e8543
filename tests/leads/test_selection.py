"""`--where`: what is understood, what is found on both databases, and what is said when it is not understood."""

from typing import Any

import pytest
from sqlalchemy import select

from models.journeys import Enrolment
from models.leads import LeadRow
from nurture.errors import InputError
from perennial.leads.selection import Condition, names_of, parse_where, where_clause
from perennial.platform.database import Database
from tests.builders import ada, store


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("industry=retail", [("industry", "=", "retail")]),
        ("industry=retail score>=40", [("industry", "=", "retail"), ("score", ">=", "40")]),
        ("score >= 40 AND band!=cold", [("score", ">=", "40"), ("band", "!=", "cold")]),
        ("'Lead Origin'=\"Landing Page\" and score<5", [("Lead Origin", "=", "Landing Page"), ("score", "<", "5")]),
        ("company-size=51-200", [("company-size", "=", "51-200")]),
        ("android=yes", [("android", "=", "yes")]),
        ("created_at>2026-03-01", [("created_at", ">", "2026-03-01")]),
        ('industry=""', [("industry", "=", "")]),
    ],
)
def test_a_filter_reads_as_its_conditions(text: str, conditions: list[tuple[str, str, str]]) -> None:
    """Spaces or AND join; quotation marks keep what holds spaces together."""
    assert parse_where(text) == tuple(Condition(*each) for each in conditions)


@pytest.mark.parametrize(
    "text", ["", "  ", "industry", "industry=", "=retail", "score>=40,band=hot x", "a=b OR c=d", "a='b"]
)
def test_a_filter_that_makes_no_sense_is_refused(text: str) -> None:
    """The message shows where it stops making sense."""
    with pytest.raises(InputError, match="--where"):
        parse_where(text)


async def found(database: Database, text: str) -> set[str]:
    async with database.reading() as session:
        clause = await where_clause(session, parse_where(text))
        return set(await session.scalars(select(LeadRow.id).where(clause)))


def lead(number: int, **changes: Any) -> LeadRow:
    address = f"lead{number}@example.com"
    return ada(lead_id=f"l{number}", email=address, email_key=address, **changes)


def journey(lead_id: str, status: str) -> Enrolment:
    return Enrolment(
        id=f"new-lead/{lead_id}/1",
        lead_id=lead_id,
        track="new-lead",
        number=1,
        status=status,
        started_at=ada().created_at,
    )


@pytest.fixture
async def leads(database: Database) -> Database:
    """Three leads, and one that was erased."""
    await store(
        database,
        lead(1, score=80, band="mql", country="DE", traits={"industry": "retail"}, segment={"Lead Origin": "API"}),
        lead(2, score=40, band="warm", country="FR", traits={"industry": "finance"}),
        lead(3, score=10, company="Ünal", traits={}, segment={"Lead Origin": "Landing Page"}),
        lead(4, score=80, traits={"industry": "retail"}, erased_at=ada().created_at),
    )
    await store(database, journey("l1", "active"), journey("l2", "finished"))
    return database


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("industry=retail", {"l1"}),
        ("industry=Retail", {"l1"}),
        ("industry!=retail", {"l2", "l3"}),
        ("score>=40", {"l1", "l2"}),
        ("score>=40 industry!=retail", {"l2"}),
        ("'lead origin'='landing page'", {"l3"}),
        ("country!=de", {"l2", "l3"}),
        ("email=lead2@example.com", {"l2"}),
        ("industry=retail,finance", {"l1", "l2"}),
        ("industry!=retail,finance", {"l3"}),
        ("country=de,fr score<50", {"l2"}),
        ('industry="retail,finance"', set()),
        ("company=Ünal", {"l3"}),
        ("company=ÜNAL", {"l3"}),
        ("track=new-lead", {"l1"}),
        ("track=new-lead,lost-deal", {"l1"}),
        ("track!=new-lead", {"l2", "l3"}),
        ("created_at>=2026-03-02", set()),
        ("created_at>=2026-03-01 score<20", {"l3"}),
    ],
)
async def test_a_filter_finds_its_leads(leads: Database, text: str, ids: set[str]) -> None:
    """Columns, traits and segment alike, in any case; what a lead lacks is unlike any value; the erased are out."""
    assert await found(leads, text) == ids


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("industri=retail", "did you mean 'industry'"),
        ("qzx=1", 'there are id, email, .*score, created_at, track, industry, "Lead Origin"'),
        ("industry>=retail", "only score and created_at"),
        ("score>=high", "whole number"),
        ("created_at>=soon", "2026-03-01"),
    ],
)
async def test_what_cannot_be_filtered_by_is_said_with_what_can(leads: Database, text: str, said: str) -> None:
    """A typo must not quietly find nobody."""
    with pytest.raises(InputError, match=said):
        await found(leads, text)


async def test_the_names_are_the_traits_then_the_segment(leads: Database) -> None:
    """Each once."""
    async with leads.reading() as session:
        assert await names_of(session) == ["industry", "Lead Origin"]


@pytest.mark.parametrize(
    ("where", "who"),
    [
        ("industry=finance", {"l1", "l2"}),
        ("industry=Retail", {"l1"}),
        ("industry=retail,energy", {"l1", "l3"}),
        ("industry!=finance", {"l3", "l4", "l5"}),
        ("industry=fin", set()),
        ("'Lead Origin'=fair", {"l5"}),
    ],
)
async def test_a_trait_that_is_a_list_is_found_by_each_of_its_words(
    database: Database, where: str, who: set[str]
) -> None:
    """Whoever is in finance and retail is in finance, and not among those who are not."""
    await store(
        database,
        lead(1, traits={"industry": ["finance", "retail"]}),
        lead(2, traits={"industry": "finance"}),
        lead(3, traits={"industry": ["energy"]}),
        lead(4, traits={"industry": []}),
        lead(5, traits={}, segment={"Lead Origin": "Fair"}),
    )
    assert await found(database, where) == who
