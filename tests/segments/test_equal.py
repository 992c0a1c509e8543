"""One definition, two evaluations: as SQL over all leads, and in memory over each. They never differ."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from models.base import Base
from models.journeys import Enrolment
from models.leads import BehaviourRow, LeadRow, Preference, ScoreEntry, Suppression
from nurture.journey.matchers import deal_lost, sales_accepted
from nurture.people.scoring import DEFAULT_MODEL
from nurture.segments import (
    Predicate,
    band,
    days,
    engaged,
    fit,
    in_bucket,
    in_no_track,
    in_order,
    last,
    link_clicked,
    on_track,
    page_scrolled,
    page_viewed,
    prop,
    score,
    segment,
    stage,
    subscribed,
    suppressed,
    trait,
)
from nurture.segments.behaviour import did
from perennial.leads.scores_now import ScoresNow
from perennial.platform.database import Database
from perennial.segments.lead_facts import facts_of
from perennial.segments.sql import ids_of
from tests.builders import enrolment, person

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)  # the day that Europe's clocks went forward
OLD = NOW - days(30)
NAMES = ("industry", "seats", "renewal", "Größe")
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [
            "finance",
            "Finance",
            "",
            "250",
            "-1.5",
            "1.",
            "1.2.3",
            "-",
            "12\n",
            "2026-03-29",
            "2026-03-29T23:00",
            "日本語",
            "naïve",
            "İ",
        ]
    ),
    st.sampled_from([0, 50, 250, -1.5, True, False, None, 2**53 + 1]),
    st.lists(st.sampled_from(["finance", "日本語", "x"]), max_size=2),
)
WORDS = st.sampled_from(["finance", "Finance", "fin", "", "日本語", "ï", "250", "İ", "%", "_"])
NUMBERS = st.sampled_from([0, 50, 250, -1.5, 1.0])
MOMENTS = st.sampled_from(
    [NOW, NOW - days(14), NOW - days(14) - timedelta(microseconds=1), NOW - timedelta(microseconds=1), NOW - days(60)]
)
DAYS = st.sampled_from([date(2026, 3, 29), date(2026, 3, 28)])
WINDOWS = st.sampled_from([None, days(14), days(60), timedelta(microseconds=1)])
BEHAVIOURS = st.sampled_from(
    [
        ("page.viewed", "/pricing"), ("page.viewed", "/Pricing/eu"), ("page.viewed", "/"), ("email.clicked", "welcome"),
        ("page.scrolled", "/pricing"),
        ("sales.accepted", ""), ("sales.rejected", "x"), ("deal.won", ""), ("deal.lost", "price"),
    ]
)  # fmt: skip
PROPS = st.dictionaries(st.sampled_from(["percent", "plan"]), VALUES, max_size=2)
LEADS = st.fixed_dictionaries(
    {
        "traits": st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3),
        "segment": st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=2),
        "seen": st.lists(st.tuples(BEHAVIOURS, MOMENTS, st.booleans(), PROPS), max_size=4),
        "wants": st.sampled_from([None, True, False]),
        "points": st.sampled_from([0, 0, 20, 60]),
        "fits": st.sampled_from([0, 0, 10]),
        "track": st.sampled_from([None, "new-lead", "over"]),
        "suppressed": st.booleans(),
        "gone": st.sampled_from([None, None, None, "erased", "merged"]),
    }
)


def _trait_tests(name: str) -> st.SearchStrategy[Predicate]:
    asked = trait(name)
    return st.one_of(
        WORDS.map(asked.__eq__), NUMBERS.map(asked.__eq__), st.booleans().map(asked.__eq__),
        NUMBERS.map(asked.__ne__), NUMBERS.map(asked.__lt__), NUMBERS.map(asked.__ge__),
        st.lists(WORDS, min_size=1, max_size=2).map(lambda words: asked.is_in(*words)),
        WORDS.map(asked.contains), WORDS.map(asked.starts_with), st.just(asked.is_set()),
        DAYS.map(asked.before), DAYS.map(asked.after),
    )  # fmt: skip


MATCHERS = st.sampled_from(
    [
        page_viewed("/pricing*"),
        page_viewed(),
        link_clicked("welcome"),
        did(deal_lost()),
        did(sales_accepted),
        engaged(within=days(14)),
    ]
)
COUNTS = st.sampled_from([(1, None), (2, None), (0, 0), (0, 1), (1, 1), (0, None)])
PROP_TESTS = [prop("percent") >= 75, prop("percent") != 75, prop("plan") == "Größe", ~prop("plan").is_set()]
PLAIN = st.builds(
    lambda what, props: what.having(*props),
    st.sampled_from([page_viewed("/pricing*"), page_scrolled(percent=75), link_clicked("welcome"), did(deal_lost())]),
    st.lists(
        st.sampled_from(PROP_TESTS),
        max_size=2,
    ),
)
ORDERS = st.builds(
    lambda parts, within: in_order(*parts, within=within), st.lists(PLAIN, min_size=2, max_size=3), WINDOWS
)
LASTS = st.builds(
    lambda part, ages: last(part, at_least=ages[0], at_most=ages[1]),
    PLAIN,
    st.sampled_from([(days(14), None), (days(14), days(60)), (timedelta(microseconds=1), days(14))]),
)
LEAVES: st.SearchStrategy[Predicate] = st.one_of(
    st.sampled_from(NAMES).flatmap(_trait_tests),
    st.builds(
        lambda what, counts, window: what.times(at_least=counts[0], at_most=counts[1], within=window),
        MATCHERS,
        COUNTS,
        WINDOWS,
    ),
    st.sets(st.sampled_from(["lead", "mql", "sql", "customer", "lost", "opportunity"]), min_size=1).map(
        lambda wanted: stage.is_in(*sorted(wanted))
    ),
    st.sampled_from(
        [score >= 20, score < 40, fit >= 10, fit < 10, fit >= 0, band.is_in("mql"), band.is_in("cold", "hot")]
    ),
    st.sampled_from([in_no_track(), on_track(), on_track("new-lead"), suppressed()]),
    st.sampled_from([subscribed("news"), in_bucket("half", 0.5), in_bucket("half", 0.5, after=0.5)]),
    st.builds(
        lambda what, counts, window: what.times(at_least=counts[0], at_most=counts[1], within=window),
        PLAIN,
        COUNTS,
        WINDOWS,
    ),
    ORDERS,
    LASTS,
)
PREDICATES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: two[0] & two[1]),
        st.tuples(inner, inner).map(lambda two: two[0] | two[1]),
        inner.map(lambda one: ~one),
        inner.map(lambda one: segment("nested", one)),
    ),
    max_leaves=5,
)
SCORES = ScoresNow(DEFAULT_MODEL, NOW)


def rows_of(number: int, known: dict[str, Any]) -> list[Base]:
    """A lead and all that is known of it."""
    lead_id = f"l{number}"
    gone = {"erased": {"erased_at": NOW}, "merged": {"merged_into": "l0"}, None: {}}[known["gone"]]
    rows: list[Base] = [
        person(lead_id, traits=known["traits"], segment=known["segment"], score=known["points"], **gone)
    ]
    for at, ((name, subject), moment, bot, props) in enumerate(known["seen"]):
        common = {
            "props": props,
            "lead_id": lead_id,
            "name": name,
            "subject": subject,
            "bot": bot,
            "at": moment,
            "received_at": moment,
        }
        rows.append(BehaviourRow(id=f"{lead_id}-{at}", **common))
    if known["points"]:
        rows.append(
            ScoreEntry(
                lead_id=lead_id, rule="click", behaviour_id=f"s{number}", points=known["points"], reason="", at=OLD
            )
        )
    if known["fits"]:
        rule = DEFAULT_MODEL.fit[0].name
        rows.append(ScoreEntry(lead_id=lead_id, rule=rule, points=known["fits"], reason="", at=OLD))
    if known["track"]:
        status = "active" if known["track"] == "new-lead" else "finished"
        rows.append(enrolment(known["track"], lead_id, status=status))
    if known["wants"] is not None:
        rows.append(Preference(lead_id=lead_id, topic="news", wanted=known["wants"], at=NOW))
    if known["suppressed"]:
        rows.append(Suppression(lead_id=lead_id, reason="opt-out", source="web", at=NOW))
    return rows


async def both(database: Database, leads: list[dict[str, Any]], predicates: list[Predicate]) -> None:
    """Store the leads; hold each predicate's SQL against what each lead says of it in memory."""
    async with database.writing() as session:
        for table in (ScoreEntry, BehaviourRow, Preference, Suppression, Enrolment, LeadRow):
            await session.execute(delete(table))
        session.add_all([row for number, known in enumerate(leads) for row in rows_of(number, known)])
    async with database.reading() as session:
        rows = list(await session.scalars(select(LeadRow)))
        facts = {row.id: await facts_of(session, row, SCORES) for row in rows}
        for predicate in predicates:
            asked = segment("asked", predicate)
            by_sql = set(await session.scalars(await ids_of(session, asked, SCORES)))
            assert by_sql == {lead for lead, known in facts.items() if asked.includes(known, NOW)}, str(predicate)
            complement = (await ids_of(session, ~predicate, SCORES)).subquery()
            others = await session.scalar(select(func.count()).select_from(complement))
            assert len(by_sql) + (others or 0) == sum(known.live for known in facts.values()), str(predicate)


@pytest.fixture
def runner(migrated_url: str) -> Any:
    """Run coroutines on one loop, with one database."""
    with asyncio.Runner() as runs:
        database = Database(migrated_url)
        yield lambda *given: runs.run(both(database, *given))
        runs.run(database.close())


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(leads=st.lists(LEADS, min_size=1, max_size=5), predicates=st.lists(PREDICATES, min_size=1, max_size=6))
def test_sql_and_memory_agree_and_a_negation_is_the_complement(
    runner: Any, leads: list[dict[str, Any]], predicates: list[Predicate]
) -> None:
    """Nested, missing, zero, on a boundary, by machines, merged and erased: |p| + |~p| = |leads|."""
    runner(leads, predicates)
