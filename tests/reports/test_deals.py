"""Deals as behaviours tell of them: by the CRM's webhook, by a file, by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from models.leads import BehaviourRow
from nurture.errors import ImportFileError, InputError
from nurture.measures.money import Money
from perennial.intake.deals import BadDeal, DealRow
from perennial.intake.deals import read_deals as read_file
from perennial.platform.database import Database
from perennial.reports.deals import Deal, DealEvent, deals_of, of_period, read_deals
from perennial.reports.rates import commonest_currency, read_rates
from tests.builders import NOON, ada, store

DAY = timedelta(days=1)


def event(name: str, day: int, lead: str = "l1", **props: str) -> DealEvent:
    """What tells of a deal, on a day after the first."""
    return DealEvent(f"{lead}-{name}-{day}", lead, f"deal.{name}", NOON + day * DAY, props)


def euros(amount: int) -> Money:
    return Money(Decimal(amount), "EUR")


def test_a_deal_is_followed_by_its_id() -> None:
    """Two at once, of one lead: each with its own outcome, and the amount that was told last."""
    found = deals_of(
        [
            event("opened", 0, deal="a", amount="100", currency="EUR"),
            event("opened", 1, deal="b"),
            event("won", 5, deal="a", amount="120", currency="EUR"),
            event("lost", 6, deal="b"),
        ]
    )
    assert found == [
        Deal("a", "l1", "won", NOON + 5 * DAY, NOON, euros(120)),
        Deal("b", "l1", "lost", NOON + 6 * DAY, NOON + DAY),
    ]


def test_without_an_id_an_event_is_of_the_leads_open_deal() -> None:
    """One that is opened after the first was closed is another deal."""
    found = deals_of([event("opened", 0), event("won", 3), event("opened", 9), event("won", 9, lead="l2")])
    assert [(deal.lead_id, deal.outcome) for deal in found] == [("l1", "won"), ("l1", "open"), ("l2", "won")]
    assert found[0].opened_at == NOON


def test_an_amount_that_is_none_is_told_and_not_counted() -> None:
    (found,) = deals_of([event("won", 0, amount="lots", currency="EUR")])
    assert found.money is None
    assert "'lots' is no number" in found.unreadable


async def test_deals_are_read_as_they_stood_at_a_moment(database: Database) -> None:
    """What happened later is not known then; a period has its first moment and not its last."""
    rows = [
        BehaviourRow(id=name, lead_id="l1", name=f"deal.{name}", props={"deal": "a"}, at=at, received_at=at)
        for name, at in (("opened", NOON), ("won", NOON + DAY))
    ]
    await store(database, ada())
    await store(database, *rows)
    async with database.reading() as session:
        (then,) = await read_deals(session, NOON + DAY)
        now = await read_deals(session, NOON + 2 * DAY)
    assert then.outcome == "open"
    assert of_period(now, "won", NOON + DAY, NOON + 2 * DAY) == now
    assert of_period(now, "won", NOON, NOON + DAY) == []


def test_a_file_of_deals_is_read_row_by_row(tmp_path: Path) -> None:
    """A bad row is left out with its reason; the others stand."""
    file = tmp_path / "deals.csv"
    file.write_text(
        "Lead,event,at,deal,amount,currency,reason\n"
        "ada@example.com,won,2026-02-01,D-7,1200.50,eur,\n"
        "l2,lost,2026-02-01T09:00+01:00,,,,budget\n"
        "l3,signed,2026-02-01,,,,\n"
        "l3,won,2026-02-01,,12,,\n"
        "l3,won\n"
    )
    won, lost, *bad = read_file(file)
    assert isinstance(won, DealRow)
    assert won.props == {"deal": "D-7", "amount": "1200.50", "currency": "EUR"}
    assert isinstance(lost, DealRow)
    told = lost.report("l2", "UTC", NOON)
    assert (told.at, told.props) == (datetime(2026, 2, 1, 8, tzinfo=UTC), {"reason": "budget"})
    said = [each.reason for each in bad if isinstance(each, BadDeal)]
    assert [each.row for each in bad] == [4, 5, 6]
    for reason, part in zip(said, ("none of opened", "no ISO 4217", "2 fields"), strict=True):
        assert part in reason


@pytest.mark.parametrize("time_zone", ["America/Los_Angeles", "UTC", "Pacific/Auckland"])
def test_a_deal_without_a_time_is_of_a_day_of_the_leads(time_zone: str) -> None:
    """Never of the day before, nor at midnight."""
    told = DealRow(2, "l1", "deal.won", "2026-02-01", {"deal": "D-7"}).report("l1", time_zone, NOON)
    assert told.at.astimezone(ZoneInfo(time_zone)).date() == date(2026, 2, 1)
    assert told.props == {"deal": "D-7", "day": "2026-02-01"}


@pytest.mark.parametrize(
    ("at", "says"), [("soon", "no time"), ("2027-02-01", "future"), ("2027-02-01T09:00", "future")]
)
def test_a_deal_at_no_time_or_to_come_is_refused(at: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        DealRow(2, "l1", "deal.won", at, {}).report("l1", "UTC", NOON)


@pytest.mark.parametrize(
    ("header", "says"), [("lead,event", "no column 'at'"), ("lead,event,at,price", "unknown column")]
)
def test_a_file_without_its_columns_is_refused(tmp_path: Path, header: str, says: str) -> None:
    file = tmp_path / "deals.csv"
    file.write_text(f"{header}\n")
    with pytest.raises(ImportFileError, match=says):
        list(read_file(file))


def test_rates_are_read_with_their_dates(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("currency,since,rate\nUSD,2026-01-01,0.90\nusd,2026-04-01,0.80\n")
    assert read_rates(file, "EUR").convert(Money(Decimal(10), "USD"), date(2026, 5, 1)) == 8


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("code,rate\n", "name currency, since, rate"),
        ("currency,since,rate\nUSD,2026-01-01,free\n", "row 2: the rate is no number"),
        ("currency,since,rate\nUSD,2026-01-01,-1\n", "row 2: the rate '-1' is not above 0"),
        ("currency,since,rate\nUSD,May,1\n", "row 2: Invalid isoformat"),
        ("currency,since,rate\nUSD,2026-01-01\n", "row 2"),
        ("currency,since,rate\ndollars,2026-01-01,1\n", "no ISO 4217 code"),
    ],
)
def test_rates_that_cannot_be_read_are_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(text)
    with pytest.raises(ImportFileError, match=says):
        read_rates(file, "EUR")


def test_a_report_is_in_the_currency_of_most_deals() -> None:
    assert commonest_currency([euros(1), Money(Decimal(1), "USD"), euros(2)]) == "EUR"
    assert commonest_currency([]) == "EUR"
