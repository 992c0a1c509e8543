"""What the measures say that calls for a person's attention now: complaints, bounces, opt-outs, clicks, sales."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import HandOffRow
from models.leads import BehaviourRow
from nurture.measures.proportions import Rate
from nurture.measures.watching import BOUNCES, COMPLAINTS, MANY_COMPLAINTS, has_collapsed, has_spiked, is_over
from perennial.reports.engagement import Engagement, MailGroup, grouped, read_engagement
from perennial.reports.period import Period
from perennial.reports.sales_response import ANSWERS

SETTLED = timedelta(days=2)
"""Mail is judged once people had so long to react."""

WEEK, PAST = timedelta(days=7), timedelta(days=84)
"""The mails that are judged, and those before them that they are compared with."""

PATIENCE, LATELY = timedelta(days=3), timedelta(days=30)
"""Sales has so long to answer an offer; an offer of longer ago is told no more."""


async def watch(session: AsyncSession, now: datetime) -> list[str]:
    """A sentence for each rule that is broken at `now`, worst first; none if all is well."""
    until = now - SETTLED
    week = await read_engagement(session, _period(until - WEEK, until), heard_until=now)
    past = await read_engagement(session, _period(until - WEEK - PAST, until - WEEK), heard_until=now)
    return [*_of_mails(week, past), *await _of_sales(session, now)]


def _of_mails(week: Sequence[MailGroup], past: Sequence[MailGroup]) -> Iterator[str]:
    every = grouped(week, lambda _: "all mail").get("all mail")
    complained = every.rate("complained") if every else Rate(0, 0)
    if is_over(complained, COMPLAINTS):
        bad = is_over(complained, MANY_COMPLAINTS)
        what = "over 0.3%: pause the tracks that send it" if bad else "over 0.1%: find the track that causes them"
        yield f"complaints: {_said(complained)} of the week, {what}"
    for provider, mails in grouped(week, lambda mail: mail.provider).items():
        bounced = Rate(mails.did["bounced"], mails.sent)
        if is_over(bounced, BOUNCES):
            yield f"bounces at {provider}: {_said(bounced)} of the week, over 5%: check where the addresses come from"
    for track, now, before in _beside(grouped(week, _track), grouped(past, _track)):
        if has_spiked(now.rate("opted_out"), before.rate("opted_out")):
            yield f"opt-outs on {track}: {_change(now, before, 'opted_out')}: look at what it sends, and to whom"
    for piece, now, before in _beside(grouped(week, _piece), grouped(past, _piece)):
        if has_collapsed(now.rate("clicked"), before.rate("clicked")):
            yield f"clicks on {piece}: {_change(now, before, 'clicked')}: check its links and its subject"


async def _of_sales(session: AsyncSession, now: datetime) -> list[str]:
    answered = exists().where(
        BehaviourRow.lead_id == HandOffRow.lead_id,
        BehaviourRow.name.in_(ANSWERS),
        BehaviourRow.at >= HandOffRow.at,
        BehaviourRow.at <= now,
    )
    waiting, oldest = (
        await session.execute(
            select(func.count(), func.min(HandOffRow.at)).where(
                HandOffRow.at <= now - PATIENCE, HandOffRow.at > now - LATELY, ~answered
            )
        )
    ).one()
    if not waiting:
        return []
    offers = "1 offer" if waiting == 1 else f"{waiting:,} offers"
    return [
        f"sales: {offers} without an answer for over {PATIENCE.days} days, the oldest of {oldest:%d %b %Y}: ask sales"
    ]


def _period(since: datetime, until: datetime) -> Period:
    return Period(since, until, ZoneInfo("UTC"))


def _track(mail: MailGroup) -> str:
    return mail.track


def _piece(mail: MailGroup) -> str:
    return mail.piece


def _beside(
    week: Mapping[str, Engagement], past: Mapping[str, Engagement]
) -> Iterator[tuple[str, Engagement, Engagement]]:
    """What there was in both, by name."""
    return ((name, week[name], past[name]) for name in sorted(week) if name in past)


def _change(now: Engagement, before: Engagement, what: str) -> str:
    return f"{_said(now.rate(what))} of the week, before {_said(before.rate(what))}"


def _said(rate: Rate) -> str:
    return f"{rate.value or 0:.2%} ({rate.hits:,} of {rate.of:,} mails)"
