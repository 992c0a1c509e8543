"""The report: what its words, its page and its files say of a small world."""

import csv
import json
import re
from base64 import b64encode
from datetime import date
from decimal import Decimal
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from models.base import Base
from nurture.measures.money import DatedRate, Rates
from nurture.measures.proportions import Rate
from perennial.platform.database import Database
from perennial.reports.outcome_page import report_of, write_report
from perennial.reports.outcome_tables import pipeline_velocity, tables_of
from perennial.reports.outcomes import Outcomes, Scope, read_outcomes
from perennial.reports.page import Report, render_report
from tests.reports.test_measures import keep, winner
from tests.reports.world import day, does, enters, mail, period


async def outcomes_of(database: Database, *rows: Base, rates: Rates | None = None) -> Outcomes:
    """All measures of a world."""
    await keep(database, *rows)
    async with database.reading() as session:
        return await read_outcomes(session, Scope(period(), day(100), 75, rates=rates))


async def test_the_summary_says_what_came_of_it(database: Database) -> None:
    """In plain words, each rate with its count, and few marked as few."""
    summary = report_of(await outcomes_of(database, *winner(), *enters("b"), mail("b", "welcome", 1))).summary
    assert summary[0] == (
        "In 100 days 2 leads entered and 2 mails went out. 1 lead clicked, visited or answered, 1 qualified for "
        "sales, and 1 deal was won."
    )
    assert "50% (1 of 2, few)" in summary[1]
    assert "half become customers within 20 days" in summary[2]
    assert "The deals won are worth 900.00 EUR." in summary


async def test_an_empty_period_says_so(database: Database) -> None:
    """And its page is whole."""
    report = report_of(await outcomes_of(database))
    assert report.summary == ("Nothing happened in this period: no lead entered a track, and no mail was sent.",)
    assert "Nothing to show in this period." in render_report(report)


async def test_deals_without_a_rate_or_an_amount_are_told(database: Database) -> None:
    """They are counted, and in no sum."""
    found = await outcomes_of(
        database,
        *winner(),
        *enters("b"),
        does("b", "deal.won", 8, props={"amount": "50", "currency": "GBP", "deal": "D-2"}),
        does("b", "deal.won", 9, props={"amount": "lots", "currency": "EUR", "deal": "D-3"}),
        rates=Rates("USD", (DatedRate("EUR", date(2026, 1, 1), Decimal("1.10")),)),
    )
    assert (len(found.won.deals), found.won.amount) == (3, Decimal("990.00"))
    notes = "\n".join(report_of(found).notes)
    assert "1 won deal is in GBP, for which no rate to USD is known: in no sum" in notes
    assert "1 won deal without an amount" in notes
    assert "The deal D-3: the amount 'lots' is no number" in notes
    assert "2 won deals came without a mail before" in notes


async def test_what_is_dated_after_now_is_told_and_not_counted(database: Database) -> None:
    found = await outcomes_of(database, *winner(), does("a", "page.viewed", 300))
    assert any("1 behaviour is dated after now" in note for note in report_of(found).notes)


async def test_conversion_is_told_between_any_two_stages(database: Database) -> None:
    """Of two that clicked, one is accepted by sales; velocity stays with the steps of the funnel."""
    found = await outcomes_of(
        database, *winner(), *enters("b"), mail("b", "welcome", 1), does("b", "email.clicked", 2, "b-welcome-1")
    )
    tables = {table.name: table.rows for table in report_of(found).tables}
    told = {(first, second): rate for first, second, rate in tables["conversions"]}
    assert len(told) == 28
    assert told["clicked, visited, replied", "accepted by sales (SQL)"] == Rate(1, 2)
    assert told["offered to sales", "deal won"] == Rate(1, 1)
    assert len(tables["velocity"]) == 8


async def test_pipeline_velocity_is_told_though_most_deals_are_open_or_lost(database: Database) -> None:
    """2 open deals x 1 won of 2 closed x 900 / 14 days: the days are those of the deals that were won."""
    found = await outcomes_of(
        database, *winner(),
        *enters("b"), does("b", "deal.opened", 6), does("b", "deal.lost", 40),
        *enters("c"), does("c", "deal.opened", 7), *enters("d"), does("d", "deal.opened", 8),
    )  # fmt: skip
    assert pipeline_velocity(found) == Decimal("64.29")
    assert "2 open deals bring about 64.29 EUR a day." in report_of(found).summary


async def test_pipeline_velocity_is_not_known_without_an_opening(database: Database) -> None:
    """A deal that we only heard of as won took we do not know how long."""
    found = await outcomes_of(
        database,
        *enters("a"),
        does("a", "deal.won", 9, props={"amount": "900", "currency": "EUR"}),
        *enters("c"),
        does("c", "deal.opened", 7),
    )
    assert pipeline_velocity(found) is None


async def test_credit_sums_to_the_deals_by_each_model(database: Database) -> None:
    """And its amounts to what the deals are worth."""
    report = report_of(await outcomes_of(database, *winner(), mail("a", "guide", 15), mail("a", "case", 16)))
    (credit,) = [table for table in report.tables if table.name == "credit"]
    for place in range(1, len(credit.columns) - 1):
        assert sum(float(str(row[place])) for row in credit.rows) == pytest.approx(1)
    assert sum(Decimal(str(row[-1])) for row in credit.rows) == Decimal("900.00")


class Reader(HTMLParser):
    """Reads a page: its elements, and attributes that name something elsewhere."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


async def test_the_page_needs_nothing_else(database: Database) -> None:
    """No script, no style attribute, no address elsewhere; its policy allows its own style sheet alone."""
    html = render_report(report_of(await outcomes_of(database, *winner())))
    page = Reader(html)
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert not {name for name, _ in page.attributes if name in {"style", "src"} or name.startswith("on")}
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    style = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = next(value for _, value in page.attributes if "default-src" in value)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


async def test_every_chart_has_a_table_with_headers(database: Database) -> None:
    """So a screen reader has all of it: captions, column and row headers, and a name for each drawing."""
    page = Reader(render_report(report_of(await outcomes_of(database, *winner()))))
    assert page.tags.count("caption") == page.tags.count("table") >= page.tags.count("svg") > 0
    assert page.tags.count("title") == 1 + page.tags.count("svg")
    assert {value for name, value in page.attributes if name == "scope"} == {"col", "row"}


async def test_names_of_strangers_are_text(database: Database, tmp_path: Path) -> None:
    """In the page and in the CSV, where a spreadsheet would run a formula."""
    source = '=HYPERLINK("x")<b>'
    report = report_of(await outcomes_of(database, *enters("a", traits={"source": source})))
    assert "<b>" not in render_report(report)
    write_report(report, tmp_path / "report.html", tmp_path)
    with (tmp_path / "sources.csv").open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)
    assert row[0] == f"'{source}"
    assert header[1:7] == ["entered", "engaged", "engaged of", "engaged share", "engaged low", "engaged high"]


async def test_the_json_has_every_table(database: Database) -> None:
    """With a rate as its counts, its share and its interval."""
    report: Report = report_of(await outcomes_of(database, *winner()))
    answer = json.loads(json.dumps(report.as_json()))
    assert set(answer["tables"]) == {table.name for table in report.tables}
    (provider,) = answer["tables"]["mailbox-providers"]["rows"]
    assert provider["clicked"]["hits"] == provider["clicked"]["of"] == 1


async def test_leads_are_told_apart_by_any_trait(database: Database) -> None:
    """Each lead in one row; one without a word for it is not known."""
    await keep(
        database,
        *enters("a", traits={"industry": "retail"}), does("a", "deal.won", 5),
        *enters("b", traits={"industry": "retail"}),
        *enters("c"), *enters("d", traits={"industry": 7}), *enters("f", traits={"industry": "[none]"}),
        *enters("e", traits={"industry": ["retail", "toys"]}),
    )  # fmt: skip
    async with database.reading() as session:
        found = await read_outcomes(session, Scope(period(), day(100), 75, by="industry"))
    (table,) = (each for each in tables_of(found) if each.name == "traits")
    assert (table.title, table.columns[0]) == ("By industry", "industry")
    assert [(row[0], row[1], row[-1]) for row in table.rows] == [
        ("retail", 2, Rate(1, 2)),
        ("7", 1, Rate(0, 1)),
        ("[none]", 1, Rate(0, 1)),
        ("not known", 1, Rate(0, 1)),
        ("retail and toys", 1, Rate(0, 1)),
    ]
