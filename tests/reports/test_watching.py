"""Watching: what the measures say that calls for a person's attention, and what they keep quiet about."""

import pytest

from models.base import Base
from nurture.measures.proportions import Rate
from nurture.measures.watching import COMPLAINTS, has_collapsed, has_spiked, is_over
from perennial.platform.database import Database
from perennial.reports.watching import watch
from tests.reports.test_measures import keep
from tests.reports.world import day, does, enters, mail, offered

NOW = 100


async def watched(database: Database, *rows: Base) -> list[str]:
    """What is told of a world on its hundredth day."""
    await keep(database, *rows)
    async with database.reading() as session:
        return await watch(session, day(NOW))


def mailed(number: int, at: float, did: dict[str, int], **changes: object) -> list[Base]:
    """So many mails on one day, each to a lead of its own; the first of them did something."""
    rows: list[Base] = []
    for each in range(number):
        lead = f"l{at}-{each}"
        rows += [*enters(lead, at, **changes), mail(lead, "welcome", at)]
        rows += [does(lead, name, at + 1, f"{lead}-welcome-{at}") for name, many in did.items() if each < many]
    return rows


@pytest.mark.parametrize(
    ("rate", "over"), [(Rate(1, 500), False), (Rate(2, 2000), False), (Rate(3, 2000), True), (Rate(2, 29), False)]
)
def test_one_hit_is_no_rate_and_a_bound_may_be_met(rate: Rate, *, over: bool) -> None:
    assert is_over(rate, COMPLAINTS) is over


def test_a_change_is_told_when_it_is_large_and_no_chance() -> None:
    """Not what doubles within chance, nor what is certain and small, nor what is of few."""
    assert has_spiked(Rate(30, 1000), Rate(10, 1000))
    assert not has_spiked(Rate(3, 100), Rate(1, 100))
    assert not has_spiked(Rate(1800, 10_000), Rate(1000, 10_000))
    assert not has_spiked(Rate(20, 29), Rate(1, 1000))
    assert has_spiked(Rate(30, 1000), Rate(0, 1000))
    assert has_collapsed(Rate(10, 1000), Rate(30, 1000))
    assert not has_collapsed(Rate(6000, 10_000), Rate(10_000, 10_000))
    assert not has_collapsed(Rate(0, 1000), Rate(0, 1000))


async def test_complaints_and_bounces_of_the_week_are_told(database: Database) -> None:
    """With their counts, and what to do; bounces by mailbox provider."""
    rows = mailed(40, 95, {"email.complained": 2, "email.bounced": 3})
    complaints, bounces = await watched(database, *rows)
    assert complaints == "complaints: 5.41% (2 of 37 mails) of the week, over 0.3%: pause the tracks that send it"
    assert bounces.startswith("bounces at companies and others: 7.50% (3 of 40 mails) of the week, over 5%: check")


async def test_opt_outs_that_spike_and_clicks_that_collapse_are_told(database: Database) -> None:
    """Against the track's, and the piece's, own mails of the twelve weeks before."""
    before = mailed(60, 50, {"email.clicked": 30})
    told = await watched(database, *before, *mailed(40, 95, {"lead.opted_out": 9, "email.clicked": 4}))
    opted_out = "opt-outs on new-lead: 22.50% (9 of 40 mails) of the week, before 0.00% (0 of 60 mails)"
    clicked = "clicks on welcome: 10.00% (4 of 40 mails) of the week, before 50.00% (30 of 60 mails)"
    assert told == [
        f"{opted_out}: look at what it sends, and to whom",
        f"{clicked}: check its links and its subject",
    ]


async def test_mail_that_has_just_gone_out_is_not_judged_yet(database: Database) -> None:
    """Nobody has had the time to click it."""
    assert await watched(database, *mailed(60, 50, {"email.clicked": 30}), *mailed(40, 99, {})) == []


async def test_what_came_of_the_weeks_last_mails_counts_up_to_now(database: Database) -> None:
    """A click of yesterday on a mail of three days ago keeps the rate where it was."""
    assert (
        await watched(database, *mailed(60, 50, {"email.clicked": 30}), *mailed(40, 97.5, {"email.clicked": 20})) == []
    )


async def test_offers_without_an_answer_are_told(database: Database) -> None:
    """Not those that are answered, that sales still has time for, or that are of long ago."""
    told = await watched(
        database,
        *enters("a"), offered("a", 90),
        *enters("b"), offered("b", 89), does("b", "sales.rejected", 92),
        *enters("c"), offered("c", 98),
        *enters("d"), offered("d", 20),
        *enters("e"), does("e", "sales.accepted", 10), offered("e", 95),
    )  # fmt: skip
    assert told == ["sales: 2 offers without an answer for over 3 days, the oldest of 31 May 2026: ask sales"]


async def test_nothing_is_told_when_all_is_well(database: Database) -> None:
    """Nor of an empty database."""
    assert await watched(database) == []
    assert await watched(database, *mailed(60, 50, {"email.clicked": 9}), *mailed(60, 95, {"email.clicked": 8})) == []
