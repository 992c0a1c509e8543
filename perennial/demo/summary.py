"""How a demo ends: what was sent and what was not, the funnel, where everyone stands, one lead's story, the audit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment, HandOffRow
from models.leads import LeadRow
from models.touches import Touch
from nurture.journey.facts import AnyFact, Chosen, Enrolled, Graduated, Scored, Waited, Waiting
from nurture.journey.wording import say_fact
from nurture.timing.clock import Clock
from perennial.cli.printing import counted
from perennial.demo.view import BAR, bars
from perennial.journeys.enrolling import workflow_id
from perennial.journeys.story import journal_of
from perennial.reports.audit import Audit
from perennial.reports.funnel import Funnel
from perennial.reports.punctuality import share_within

_REASONS = 8
_KEPT_UP = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class SampleLead:
    """One lead's journey: who, on which track, and every fact of it."""

    lead: LeadRow
    track: str
    facts: Sequence[AnyFact]


def print_counts(console: Console, counts: Funnel, not_enrolled: Mapping[str, int]) -> None:
    """Sent, deferred, refused, the funnel, and where everyone stands."""
    console.print(f"\n[bold]{counted(counts.sent, 'message')} sent[/] to {counted(counts.touched, 'lead')}")
    _print_reasons(console, "put off by the gate, sent later", counts.deferred)
    _print_reasons(console, "refused by the gate, never sent", counts.refused)
    _print_reasons(console, "not enrolled", not_enrolled)
    left = counts.left
    console.print(
        f"{left.get('opt-out', 0)} opted out, {left.get('complaint', 0)} complained, "
        f"{left.get('hard-bounce', 0)} bounced"
    )
    console.print("\n[bold]From lead to deal[/]")
    console.print(_funnel(counts))
    console.print("\n[bold]Where everyone stands[/]")
    console.print(bars(counts.standing))
    running = counted(counts.running, "journey is", "journeys are")
    console.print(f"{running} still under way and will stay so")


def _print_reasons(console: Console, title: str, reasons: Mapping[str, int]) -> None:
    console.print(f"{sum(reasons.values()):,} {title}")
    shown = sorted(reasons.items(), key=lambda item: -item[1])
    for reason, count in shown[:_REASONS]:
        console.print(Text(f"  {count:>6,}  {reason}", style="bright_black"))
    if len(shown) > _REASONS:
        console.print(f"  {sum(count for _, count in shown[_REASONS:]):>6,}  for {len(shown) - _REASONS} other reasons")


def _funnel(counts: Funnel) -> Table:
    answers = counts.answers
    rows = (
        ("enrolled", counts.enrolled, "cyan"),
        ("got a message", counts.touched, "cyan"),
        ("clicked, visited, replied", counts.engaged, "cyan"),
        ("marketing-qualified (75)", counts.mqls, "green"),
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
    """A line a fact; times are UTC, as in the Temporal UI."""
    lead = story.lead
    about = ", ".join(part for part in (lead.company, lead.country, lead.time_zone) if part)
    console.print(
        Text.assemble(("\nOne lead's story  ", "bold"), f"{lead.first_name or lead.email} ({about}), {story.track}")
    )
    table = Table.grid(padding=(0, 2))
    last: datetime | None = None
    for fact in sorted(story.facts, key=lambda fact: fact.at):
        if isinstance(fact, Waiting) or (isinstance(fact, Waited) and fact.by == "behaviour"):
            continue  # the line before tells it
        day = "" if last is not None and fact.at.date() == last.date() else f"{fact.at:%a %d %b}"
        last = fact.at
        table.add_row(
            Text(day, "bright_black"), Text(f"{fact.at:%H:%M}", "bright_black"), Text(_words(fact), _style(fact))
        )
    console.print(table)


def _words(fact: AnyFact) -> str:
    if isinstance(fact, Enrolled):
        traits = ", ".join(f"{name} {value}" for name, value in fact.traits.items())
        return f"{say_fact(fact)}, score {fact.score}" + (f" ({traits})" if traits else "")
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
            return "bright_black" if isinstance(fact, Chosen | Scored | Waited) else ""


def print_audit(console: Console, audit: Audit, late: Sequence[float], clock: Clock) -> None:
    """How punctual the engine was, and whether every rule held."""
    within, median = share_within(late, 0.99), share_within(late, 0.5)
    hours = within * clock.speed / 3600
    verdict = "the engine kept up"
    if median > _KEPT_UP:
        verdict = "[yellow]too fast for this machine, try a lower --speed[/]"
    elif within > _KEPT_UP:
        verdict = "the engine kept up, but for bursts (windows open for many leads at once)"
    console.print(
        f"\n{verdict}: 99% of wakes within {within * 1000:,.0f} ms, half within {median * 1000:,.0f} ms "
        f"(at this speed {hours:,.1f} hours of the journeys' time; {len(late):,} wakes read)"
    )
    if audit.violations:
        for violation in audit.violations[:20]:
            console.print(Text(f"violated: {violation}", "red"))
        violated, touches = counted(len(audit.violations), "violation"), counted(audit.touches, "touch", "touches")
        console.print(f"[red bold]{violated} in {touches}[/]")
        return
    console.print(
        f"[green]checked:[/] {audit.touches:,} touches, none over a lead's caps (24 hours, 7 and 30 days), none "
        "outside its local window, on a weekend or a holiday, none after an opt-out; the messages agree with the ledger"
    )


def print_links(console: Console, ui_url: str, story: SampleLead | None) -> None:
    """Where to look further."""
    console.print(f"\nTemporal UI  {ui_url}/namespaces/default/workflows")
    if story is not None:
        path = quote(workflow_id(story.track, story.lead.id), safe="")
        console.print(f"this story   {ui_url}/namespaces/default/workflows/{path}", soft_wrap=True)
