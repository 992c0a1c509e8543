"""The measures by day: in the company's days, and agreeing with the measures of the whole period."""

from datetime import date
from zoneinfo import ZoneInfo

from perennial.platform.database import Database
from perennial.reports.by_day import read_days
from perennial.reports.engagement import grouped, read_engagement
from perennial.reports.outcomes import Scope
from perennial.reports.period import Period
from tests.reports.test_measures import keep
from tests.reports.world import day, does, enters, mail, period


async def test_mails_and_stages_are_counted_by_the_companys_days(database: Database) -> None:
    """A mail at 16:00 UTC is of the next day in Tokyo; a machine's click is none; a renamed track is one."""
    await keep(
        database,
        *enters("a"), mail("a", "welcome", 0), does("a", "email.clicked", 2, "a-welcome-0"),
        *enters("b", track="old"), mail("b", "welcome", 0.3, track="old"),
        does("b", "email.clicked", 1, "b-welcome-0.3", bot=True),
        mail("a", "tip", 3, delivery="bounced"),
    )  # fmt: skip
    tokyo = Period(day(0), day(10), ZoneInfo("Asia/Tokyo"))
    async with database.reading() as session:
        mails, stages = await read_days(session, Scope(tokyo, day(10), 75), lambda _: "new-lead")
    assert mails.columns[:5] == ("day", "track", "piece", "sent", "delivered")
    assert [dict(zip(mails.columns, row, strict=True))["clicked"] for row in mails.rows] == [1, 0, 0]
    assert [row[:5] for row in mails.rows] == [
        (date(2026, 3, 2), "new-lead", "welcome", 1, 1),
        (date(2026, 3, 3), "new-lead", "welcome", 1, 1),
        (date(2026, 3, 5), "new-lead", "tip", 1, 0),
    ]
    assert [row[:4] for row in stages.rows] == [
        (date(2026, 3, 2), 2, 1, 0), (date(2026, 3, 3), 0, 1, 0), (date(2026, 3, 4), 0, 0, 1)
    ]  # fmt: skip


async def test_the_days_sum_to_the_period(database: Database) -> None:
    """What is told by day, by piece and in all is one measure."""
    await keep(
        database,
        *enters("a"), mail("a", "welcome", 0), mail("a", "tip", 4), does("a", "email.opened", 5, "a-tip-4"),
        does("a", "email.bounced", 1, "a-welcome-0"),
    )  # fmt: skip
    async with database.reading() as session:
        mails, _ = await read_days(session, Scope(period(), day(100), 75))
        whole = grouped(await read_engagement(session, period()), lambda _: "all")["all"]
    assert [sum(column) for column in list(zip(*mails.rows, strict=True))[3:6]] == [
        whole.sent, whole.delivered.hits, whole.did["opened"]
    ]  # fmt: skip
