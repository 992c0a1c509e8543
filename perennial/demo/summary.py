"""How a demo ends: what was sent and what was not, the funnel, where everyone stands, one lead's story, the audit."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment, HandOffRow
from models.leads import LeadRow
from models.touches import Touch
from nurture.journey.facts import AnyFact, Belongs, Chosen, Deferred, Enrolled, Graduated, Scored, Waited, Waiting
from nurture.journey.wording import say_fact, say_key
from nurture.people.words import say_words
from nurture.timing.clock import Clock
from perennial.cli.page import Times
from perennial.cli.printing import counted
from perennial.demo.view import BAR, bars, print_narrow
from perennial.journeys.enrolling import workflow_id
from perennial.journeys.story import journal_of
from perennial.reports.audit import Audit
from perennial.reports.funnel import Funnel
from perennial.reports.page import Report
from perennial.reports.punctuality import share_within

_REASONS = 8
_PLAIN = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"closed day", "a weekend where the lead lives"),
        (r"quiet hours", "out of office hours where the lead lives"),
        (r"public holiday", "a public holiday where the lead lives"),
        (r"cap: 1 touch in (.*)", r"the lead had had a mail within \1"),
        (r"cap: (\d+) touches in (.*)", r"the lead had had \1 mails within \2"),
        (r"priority: (.*) goes first", r"a mail of \1 was more important"),
        (r"sending pace", "so much mail was due at once that it was spread"),
        (r"suppressed: (.*)", r"never to be mailed again: \1"),
        (r"the lead is suppressed \((.*)\)", r"never to be mailed again: \1"),
    )
)
_KEPT_UP = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class SampleLead:
    """One lead's journey: who, on which track, and every fact of it."""

    lead: LeadRow
    track: str
    facts: Sequence[AnyFact]


def print_counts(console: Console, counts: Funnel, not_enrolled: Mapping[str, int]) -> None:
    """Sent, held back, kept out, the funnel, and where everyone stands."""
    console.print(f"\n[bold]{counted(counts.sent, 'mail')} sent[/] to {counted(counts.touched, 'lead')}")
    held, kept, out = (sum(reasons.values()) for reasons in (counts.deferred, counts.refused, not_enrolled))
    _print_reasons(console, f"{counted(held, 'time')} a mail was held back, and sent later", counts.deferred)
    _print_reasons(console, f"{counted(kept, 'mail')} stopped for good", counts.refused)
    _print_reasons(console, f"{counted(out, 'time')} a lead was kept off a track", not_enrolled)
    left = counts.left
    console.print(
        f"{counted(left.get('opt-out', 0), 'lead')} opted out, {left.get('complaint', 0)} called a mail spam, "
        f"{left.get('hard-bounce', 0)} had a dead address"
    )
    console.print("\n[bold]From lead to deal[/]")
    print_narrow(console, _funnel(counts))
    console.print("\n[bold]Where everyone stands[/]")
    print_narrow(console, bars(counts.standing))
    running = counted(counts.running, "journey was", "journeys were")
    console.print(f"{running} still under way when the demo ended")


def _print_reasons(console: Console, title: str, reasons: Mapping[str, int]) -> None:
    console.print(title)
    shown = sorted(reasons.items(), key=lambda item: -item[1])
    for reason, count in shown[:_REASONS]:
        print_narrow(console, Text(f"  {count:>6,}  {in_plain_words(reason)}", style="bright_black"))
    if len(shown) > _REASONS:
        console.print(f"  {sum(count for _, count in shown[_REASONS:]):>6,}  for {len(shown) - _REASONS} other reasons")


def in_plain_words(reason: str) -> str:
    """A reason of the gate for somebody who does not know the gate."""
    for pattern, words in _PLAIN:
        if (found := pattern.fullmatch(reason)) is not None:
            return found.expand(words)
    return reason


def _funnel(counts: Funnel) -> Table:
    answers = counts.answers
    rows = (
        ("journeys begun", counts.enrolled, "cyan"),
        ("leads that got a mail", counts.touched, "cyan"),
        ("clicked, visited, replied", counts.engaged, "cyan"),
        ("reached a score of 75", counts.mqls, "green"),
        ("offered to sales", counts.offered, "green"),
        ("accepted by sales", answers.get("sales.accepted", 0), "green"),
        ("deal opened", answers.get("deal.opened", 0), "green"),
        ("deal won", answers.get("deal.won", 0), "green"),
        ("rejected by sales", answers.get("sales.rejected", 0), "yellow"),
    )
    table = Table.grid(padding=(0, 2))
    for name, count, colour in rows:
        table.add_row(
            name, Text(f"{count:,}", justify="right"), Text("█" * round(BAR * count / max(1, counts.enrolled)), colour)
        )
    return table


async def pick_story(session: AsyncSession) -> SampleLead | None:
    """The most telling journey: engaged, scored, graduated and handed over, and not too long to read."""
    best: tuple[float, str] | None = None
    for enrolment_id in await session.scalars(
        select(HandOffRow.enrolment_id).distinct().order_by(HandOffRow.enrolment_id)
    ):
        facts = await journal_of(session, enrolment_id)
        met = sum(1 for fact in facts if isinstance(fact, Waited) and fact.by == "behaviour")
        value = met + 3 * any(isinstance(fact, Graduated) for fact in facts) - abs(len(facts) - 24) / 6
        if best is None or value > best[0]:
            best = value, enrolment_id
    if best is None:
        longest = await session.scalar(select(Touch.enrolment_id).order_by(Touch.at.desc()).limit(1))
        if longest is None:
            return None
        best = 0.0, longest
    enrolment = await session.get_one(Enrolment, best[1])
    lead = await session.get_one(LeadRow, enrolment.lead_id)
    return SampleLead(lead, enrolment.track, await journal_of(session, enrolment.id))


def print_story(console: Console, story: SampleLead) -> None:
    """A line a fact, in order, in the lead's own time zone."""
    lead, times = story.lead, Times.of(story.lead.time_zone, utc=False)
    about = ", ".join(part for part in (lead.company, lead.country) if part)
    name = f"{lead.first_name or lead.email} ({about})" if about else lead.first_name or lead.email
    print_narrow(console, Text.assemble(("\nOne lead's story  ", "bold"), f"{name}, on {story.track}"))
    traits = ", ".join(f"{name} {say_words(value)}" for name, value in lead.traits.items())
    print_narrow(console, Text(f"times in {times.name}" + (f"; {traits}" if traits else ""), "bright_black"))
    table = Table.grid(padding=(0, 2))
    last = ""
    for fact in sorted(story.facts, key=lambda fact: fact.at):
        if isinstance(fact, Waiting | Chosen) or (isinstance(fact, Waited) and fact.by == "behaviour"):
            continue  # the line before or after tells it
        local = fact.at.astimezone(times.zone)
        day = f"{local:%a %d %b %Y}"
        table.add_row(
            Text("" if day == last else day, "bright_black"),
            Text(f"{local:%H:%M}", "bright_black"),
            Text(times.text(_words(fact)), _style(fact)),
        )
        last = day
    print_narrow(console, table)


def _words(fact: AnyFact) -> str:
    match fact:
        case Enrolled():
            return f"{say_fact(fact)}, score {fact.score}"
        case Scored():
            return f"score {fact.score}, stage {fact.stage}"
        case Deferred():
            until, reason = f"{fact.until:%Y-%m-%d %H:%M} UTC", in_plain_words(fact.reason.partition(": ")[0])
            return f"{say_key(fact.key)} held back until {until}: {reason}"
        case _:
            return say_fact(fact)


def _style(fact: AnyFact) -> str:
    match fact.kind:
        case "done" | "graduated" | "finished":
            return "bold"
        case "behaved":
            return "green"
        case "exited":
            return "red"
        case _:
            return "bright_black" if isinstance(fact, Belongs | Chosen | Scored | Waited) else ""


def print_audit(console: Console, audit: Audit, late: Sequence[float], clock: Clock) -> None:
    """How punctual the engine was, and whether every rule held."""
    within, median = share_within(late, 0.99), share_within(late, 0.5)
    hours = within * clock.speed / 3600
    verdict = "The machine kept up"
    if median > _KEPT_UP:
        verdict = "[yellow]Too fast for this machine, try a lower --speed[/]"
    elif within > _KEPT_UP:
        verdict = "The machine kept up, but for moments when many leads were due at once"
    console.print(f"\n{verdict}: 99 of 100 steps were")
    console.print(f"taken within {within:,.1f} s of when they were due ({hours:,.1f} hours of the leads' time).")
    if audit.violations:
        for violation in audit.violations[:20]:
            print_narrow(console, Text(f"violated: {violation}", "red"))
        violated, touches = counted(len(audit.violations), "violation"), counted(audit.touches, "touch", "touches")
        console.print(f"[red bold]{violated} in {touches}[/]")
        return
    console.print(
        f"[green]Checked {counted(audit.touches, 'mail')} against the rules:[/] no lead got more than it may in a day,"
    )
    console.print("a week or a month; none left at night, on a weekend or a holiday of the lead's;")
    console.print("none followed an opt-out; and what was sent is what the records say.")


def print_report(console: Console, report: Report, path: Path) -> None:
    """What came of it, in a few sentences, and where the whole report is."""
    console.print(f"\n[bold]{report.title}[/]")
    for line in report.summary:
        print_narrow(console, Text(line))
    console.print(f"The whole report: {path}", soft_wrap=True)


def print_links(console: Console, ui_url: str, story: SampleLead | None) -> None:
    """Where to look further."""
    console.print(f"\nAll journeys  {ui_url}/namespaces/default/workflows")
    if story is not None:
        path = quote(workflow_id(story.track, story.lead.id), safe="")
        console.print(f"This story    {ui_url}/namespaces/default/workflows/{path}", soft_wrap=True)
