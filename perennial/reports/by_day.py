"""The measures by day, for a company's own tools: mails with what became of them, and leads that reached a stage."""

from collections import Counter
from collections.abc import Callable
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from perennial.reports.engagement import DID, Engagement, read_mail_by_day
from perennial.reports.milestones import STAGES, read_milestones
from perennial.reports.outcomes import Scope
from perennial.reports.tables import Table


async def read_days(session: AsyncSession, scope: Scope, current: Callable[[str], str] = str) -> tuple[Table, ...]:
    """Both tables: counts alone, no person. `current` is the present name of a track that was renamed."""
    return await _mail(session, scope, current), await _stages(session, scope)


async def _mail(session: AsyncSession, scope: Scope, current: Callable[[str], str]) -> Table:
    found: dict[tuple[date, str, str], Engagement] = {}
    for (day, track, piece), mails in (await read_mail_by_day(session, scope.period, scope.tracks)).items():
        key = day, current(track), piece
        before = found.get(key, Engagement(0, Counter()))
        found[key] = Engagement(before.sent + mails.sent, before.did + mails.did)
    return Table(
        "mail-by-day",
        "Mail by day",
        "Mails by the day on which they were sent, and what people did with them until the end of the period.",
        ("day", "track", "piece", "sent", "delivered", *DID),
        tuple(
            (*key, mails.sent, mails.delivered.hits, *(mails.did[what] for what in DID))
            for key, mails in sorted(found.items())
        ),
    )


async def _stages(session: AsyncSession, scope: Scope) -> Table:
    period = scope.period
    reached: Counter[tuple[date, str]] = Counter()
    async for lead in read_milestones(
        session, qualified_at=scope.qualified_at, until=period.until, tracks=scope.tracks
    ):
        for stage, at in zip(STAGES, lead.at, strict=True):
            if at is not None and period.holds(at):
                reached[at.astimezone(period.zone).date(), stage] += 1
    days = sorted({day for day, _ in reached})
    return Table(
        "stages-by-day",
        "Stages by day",
        "How many leads reached each stage for the first time on each day; a day without any has no row.",
        ("day", *STAGES),
        tuple((day, *(reached[day, stage] for stage in STAGES)) for day in days),
    )
