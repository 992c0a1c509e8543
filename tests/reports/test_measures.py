"""The measures over the database, each held to a world that can be counted by hand, on both databases."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from models.base import Base
from nurture.errors import InputError
from nurture.measures.proportions import Rate
from perennial.platform.database import Database
from perennial.privacy.erase import erase_rows
from perennial.privacy.merge import merge_rows
from perennial.reports.conversion import Funnel, share
from perennial.reports.credit import MODELS, DealPaths, read_paths
from perennial.reports.deals import of_period, read_deals
from perennial.reports.engagement import COMPANIES, ERASED, grouped, read_engagement
from perennial.reports.funnel import count_funnel
from perennial.reports.milestones import read_milestones
from perennial.reports.period import Period
from perennial.reports.sales_response import read_response
from tests.builders import SECRETS, store
from tests.reports.world import day, does, enters, mail, offered, period, scored


def winner() -> list[Base]:
    """The lead `a`, which passes each stage."""
    return [
        *enters("a", 0, traits={"source": "webinar"}),
        mail("a", "welcome", 1),
        does("a", "email.clicked", 2, "a-welcome-1"),
        scored("a", 3, 80),
        offered("a", 4),
        does("a", "sales.accepted", 5),
        does("a", "deal.opened", 6),
        does("a", "deal.won", 20, props={"amount": "900", "currency": "EUR"}),
    ]


async def keep(database: Database, *rows: Base) -> None:
    """Store rows, leads first: others refer to them."""
    order = ("leads", "enrolments", "touches")
    for table in (*order, ""):
        await store(
            database, *(row for row in rows if (row.__tablename__ if row.__tablename__ in order else "") == table)
        )


async def funnel_of(database: Database, within: Period | None = None, tracks: list[str] | None = None) -> Funnel:
    """The funnel of a period."""
    funnel = Funnel(within or period())
    async with database.reading() as session:
        async for lead in read_milestones(session, qualified_at=75, until=funnel.period.until, tracks=tracks):
            funnel.add(lead)
    return funnel


async def paths_of(database: Database) -> DealPaths:
    """The paths to the deals that were won in the period."""
    async with database.reading() as session:
        deals = of_period(await read_deals(session, period().until), "won", period().since, period().until)
        return await read_paths(session, period(), deals, {})


async def test_a_lead_is_followed_from_stage_to_stage(database: Database) -> None:
    """One passes all of them, one gets a mail and does nothing."""
    await keep(database, *winner(), *enters("b", 7), mail("b", "welcome", 8))
    funnel = await funnel_of(database)
    assert dict(funnel.reached) == {
        "entered": 2, "mailed": 2, "engaged": 1, "qualified": 1, "offered": 1, "accepted": 1, "opportunity": 1, "won": 1
    }  # fmt: skip
    assert funnel.steps["mailed", "engaged"].rate == Rate(1, 2)
    assert funnel.steps["opportunity", "won"].survival().median == timedelta(days=14)
    assert funnel.steps["entered", "won"].survival().median == timedelta(days=20)
    assert share(funnel.by_source["webinar"], "won") == Rate(1, 1)
    assert share(funnel.by_source["not known"], "won") == Rate(0, 1)
    assert {week: counts["entered"] for week, counts in funnel.by_week.items()} == {
        date(2026, 3, 2): 1,
        date(2026, 3, 9): 1,
    }


async def test_machines_and_history_engage_nobody(database: Database) -> None:
    """Nor does an open, or what happened before the import."""
    await keep(
        database,
        *enters("a"),
        mail("a", "welcome", 1),
        does("a", "email.clicked", 2, "a-welcome-1", bot=True),
        does("a", "email.opened", 2, "a-welcome-1"),
        does("a", "page.viewed", -9, id="import-1"),
    )
    assert (await funnel_of(database)).reached["engaged"] == 0
    async with database.reading() as session:
        assert (await count_funnel(session, 75)).engaged == 0, "the demo's summary counts as the report does"
    await store(database, does("a", "event.attended", 3))
    assert (await funnel_of(database)).reached["engaged"] == 1
    async with database.reading() as session:
        assert (await count_funnel(session, 75)).engaged == 1


async def test_only_what_lies_in_the_period_counts(database: Database) -> None:
    """And what lies in the future counts nowhere."""
    await keep(database, *winner(), *enters("b", 120), does("a", "email.replied", 200))
    funnel = await funnel_of(database, period(1, 10))
    assert funnel.reached["entered"] == 0
    assert funnel.steps["opportunity", "won"].rate == Rate(0, 1)
    assert funnel.steps["opportunity", "won"].survival().median is None


async def test_a_period_without_data_is_empty_and_no_error(database: Database) -> None:
    funnel = await funnel_of(database)
    assert not funnel.reached
    assert funnel.steps["entered", "won"].rate == Rate(0, 0)
    async with database.reading() as session:
        assert await read_engagement(session, period()) == []
        assert (await read_response(session, period())).spells == 0


async def test_a_stage_reached_before_is_left_out_of_the_step(database: Database) -> None:
    """A deal that was won before the lead entered tells nothing of the track."""
    await keep(database, *enters("a", 5), does("a", "deal.won", 1))
    step = (await funnel_of(database)).steps["entered", "won"]
    assert (step.rate, step.earlier) == (Rate(0, 0), 1)


async def test_a_track_is_counted_under_all_its_names(database: Database) -> None:
    """One that was renamed, and only those."""
    await keep(database, *enters("a"), *enters("b", track="newcomer"), *enters("c", track="lost-deal"))
    assert (await funnel_of(database, tracks=["new-lead", "newcomer"])).reached["entered"] == 2


async def test_leads_that_were_merged_count_once(database: Database) -> None:
    """With the first moment of each stage, also if they were merged after one of them had converted."""
    await keep(database, *winner(), *enters("b", -3, track="lost-deal"))
    async with database.writing() as session:
        await merge_rows(session, "b", "a", at=day(30))
    funnel = await funnel_of(database, period(-5))
    assert (funnel.reached["entered"], funnel.reached["won"]) == (1, 1)
    assert funnel.steps["entered", "won"].survival().median == timedelta(days=23)


async def test_erased_leads_are_counted_without_a_trace(database: Database) -> None:
    """Their stages stay; their source, their mailbox provider and their deal's amount are gone."""
    await keep(database, *winner())
    async with database.writing() as session:
        await erase_rows(session, "a", day(30), secrets=SECRETS)
    funnel = await funnel_of(database)
    assert (funnel.reached["won"], list(funnel.by_source)) == (1, ["not known"])
    async with database.reading() as session:
        (mails,) = await read_engagement(session, period())
        (deal,) = await read_deals(session, period().until)
    assert (mails.provider, deal.outcome, deal.money) == (ERASED, "won", None)


async def test_engagement_counts_a_mail_once_and_machines_never(database: Database) -> None:
    """By mailbox provider too; a mail that bounced was not delivered."""
    await keep(
        database,
        *enters("a", email_key="a@gmail.com"),
        *enters("b", email_key="b@northwind.example"),
        mail("a", "welcome", 1),
        mail("a", "guide", 5),
        mail("b", "welcome", 1, delivery="bounced"),
        mail("b", "guide", 5, state="refused"),
        does("a", "email.clicked", 2, "a-welcome-1"),
        does("a", "email.clicked", 3, "a-welcome-1"),
        does("a", "email.clicked", 6, "a-guide-5", bot=True),
        does("a", "lead.opted_out", 7, "a-guide-5"),
    )
    async with database.reading() as session:
        mails = await read_engagement(session, period())
    pieces = grouped(mails, lambda each: each.piece)
    assert (pieces["welcome"].sent, pieces["welcome"].delivered) == (2, Rate(1, 2))
    assert (pieces["welcome"].rate("clicked"), pieces["guide"].rate("clicked")) == (Rate(1, 1), Rate(0, 1))
    assert pieces["guide"].rate("opted_out") == Rate(1, 1)
    providers = grouped(mails, lambda each: each.provider)
    assert {name: group.sent for name, group in providers.items()} == {"Gmail": 2, COMPANIES: 1}


async def test_sales_response_counts_offers_that_are_still_open(database: Database) -> None:
    """One was answered within a day, two not yet."""
    await keep(database, *winner(), *enters("b"), *enters("c"), offered("b", 9), offered("c", 9))
    async with database.reading() as session:
        found = await read_response(session, period())
    assert (found.spells, found.ended) == (3, 1)
    assert found.median is None
    assert found.left_at(timedelta(days=1)) == pytest.approx(2 / 3)


async def test_credits_trace_to_touches_and_sum_to_the_deals(database: Database) -> None:
    """By each model; a mail after the deal earns none, and a deal that no mail came before is told."""
    await keep(
        database, *winner(), mail("a", "guide", 15), mail("a", "thanks", 25), *enters("b"), mail("b", "guide", 2),
        *enters("c"), does("c", "deal.won", 3)
    )  # fmt: skip
    paths = await paths_of(database)
    assert paths.untouched == 1
    for model in MODELS:
        assert sum(paths.credits_by(model).values()) == pytest.approx(1)
    assert paths.credits_by("linear") == {"guide": 0.5, "welcome": 0.5}
    assert [each.touch.id for each in paths.trace("linear")] == ["a-welcome-1", "a-guide-15"]
    # Half of all paths convert: a quarter without welcome, none without guide.
    assert paths.credits_by("markov") == pytest.approx({"guide": 2 / 3, "welcome": 1 / 3})


async def test_paths_without_a_deal_are_counted_by_their_pieces(database: Database) -> None:
    """In the order of their mails, those before the period left out; also of a lead that has won before the period."""
    await keep(
        database, *winner(),
        *enters("b"), mail("b", "guide", 4), mail("b", "welcome", 2), mail("b", "guide", 6), mail("b", "early", -1),
        *enters("c"), mail("c", "welcome", 3), mail("c", "guide", 7), mail("c", "guide", 8),
        *enters("d"), mail("d", "guide", 1), mail("d", "refused", 2, state="refused"),
        *enters("e", -9), does("e", "deal.won", -5), mail("e", "guide", 9),
        *enters("f", -9), mail("f", "early", -2),
    )  # fmt: skip
    assert (await paths_of(database)).lost == {
        (("welcome", "guide", "guide"), False): 2,
        (("guide",), False): 2,
    }


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [(date(2026, 5, 2), date(2026, 5, 1), "ends before it begins"), (date(2027, 1, 1), date(2027, 2, 1), "begins on")],
)
def test_a_period_that_is_none_is_refused(first: date, last: date, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Period.of_days(first, last, ZoneInfo("UTC"), day(200))


def test_days_are_those_of_the_companys_time_zone() -> None:
    """Also over the change to summer time: 23 hours of 29 March 2026 in Berlin."""
    found = Period.of_days(date(2026, 3, 29), date(2026, 3, 29), ZoneInfo("Europe/Berlin"), day(200))
    assert found.until - found.since == timedelta(hours=23)
    assert (str(found), found.days) == ("29 Mar 2026 to 29 Mar 2026", 1)
