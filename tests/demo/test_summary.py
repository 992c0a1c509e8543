"""The demo's summary fits 80 columns, and speaks to somebody who is no engineer."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from nurture.journey.facts import AnyFact, Deferred, Done, Enrolled, Scored, Waited
from nurture.timing.clock import Clock
from perennial.demo.summary import SampleLead, in_plain_words, print_audit, print_counts, print_story
from perennial.demo.view import WIDTH, counts_in_a_line
from perennial.reports.audit import Audit
from perennial.reports.funnel import Funnel
from tests.builders import ada

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
MANY = Funnel(
    leads=12_000,
    enrolled=12_345,
    running=4_321,
    sent=23_456,
    deferred={"closed day": 150, "cap: 1 touch in 24 hours": 6, "priority: lost-deal goes first": 1, "a" * 99: 1},
    refused={"exited: bounced on a-piece-with-quite-a-long-name": 3},
    touched=11_000,
    engaged=9_000,
    mqls=900,
    offered=980,
    answers={"sales.accepted": 1_300, "deal.opened": 5, "deal.won": 3, "sales.rejected": 6},
    left={"opt-out": 120, "complaint": 3, "hard-bounce": 14},
    standing={"re-engagement-of-leads": {f"exited: for the reason {number}": 1 for number in range(9)}},
)
FACTS: list[AnyFact] = [
    Enrolled(MONDAY, "l1", "content download", 27, "consideration"),
    Deferred(MONDAY, "send:welcome", MONDAY + timedelta(hours=23), "quiet hours: 23:00 in Asia/Seoul"),
    Done(MONDAY + timedelta(hours=23), "send:welcome", "sent"),
    Scored(MONDAY + timedelta(hours=22), 35, "consideration"),
    Waited(MONDAY + timedelta(days=5), "send:welcome/wait", "time", "page.viewed", "/a-page-with-a-long-path" * 3),
]


@pytest.fixture
def console() -> Console:
    """A wide one that is no terminal."""
    return Console(file=StringIO(), width=160, soft_wrap=True, highlight=False)


def said_on(console: Console) -> list[str]:
    """The lines printed so far."""
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_nothing_is_wider_than_80_columns(console: Console) -> None:
    """However long names and numbers are."""
    print_counts(console, MANY, {"the lead is suppressed (opt-out)": 1_000})
    print_story(
        console,
        SampleLead(ada(company="A company " * 12, time_zone="Asia/Seoul", traits={"topic": "x"}), "new-lead", FACTS),
    )
    print_audit(console, Audit(123_456, ()), [0.2] * 100, Clock.production())
    console.print(f"{MONDAY:%d %b %Y}  {counts_in_a_line(MANY).plain}")
    assert [line for line in said_on(console) if len(line.rstrip()) > WIDTH] == []


def test_a_story_is_in_order_with_its_dates_in_the_leads_own_zone(console: Console) -> None:
    """Each day once."""
    print_story(console, SampleLead(ada(time_zone="Asia/Seoul", traits={"topic": "x"}), "new-lead", FACTS))
    days = [line[:15] for line in said_on(console) if line[:15].strip() and line[12:14].isdigit()]
    assert days == ["Mon 02 Mar 2026", "Tue 03 Mar 2026", "Sat 07 Mar 2026"]
    (held,) = (number for number, line in enumerate(said_on(console)) if "held back until Tue 03 Mar" in line)
    (sent,) = (number for number, line in enumerate(said_on(console)) if "welcome was sent" in line)
    assert held < sent


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("closed day", "a weekend where the lead lives"),
        ("cap: 3 touches in 7 days", "the lead had had 3 mails within 7 days"),
        ("priority: lost-deal goes first", "a mail of lost-deal was more important"),
        ("the lead asked for a break", "the lead asked for a break"),
    ],
)
def test_the_gates_reasons_are_put_plainly(reason: str, words: str) -> None:
    """What needs no other words stays."""
    assert in_plain_words(reason) == words
