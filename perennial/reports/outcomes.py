"""What came of it, measured: everything that a report tells of a period, read in one snapshot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import BehaviourRow, LeadRow
from models.past import Removed
from nurture.measures.money import Money, Rates, total
from nurture.measures.survival import Survival
from perennial.reports.conversion import Funnel
from perennial.reports.credit import DealPaths, read_paths
from perennial.reports.deals import Deal, of_period, read_deals
from perennial.reports.engagement import MailGroup, read_engagement
from perennial.reports.milestones import STAGES, read_milestones
from perennial.reports.period import Period
from perennial.reports.rates import commonest_currency
from perennial.reports.sales_response import read_response

_QUALIFIED, _OPPORTUNITY = (list(STAGES).index(stage) for stage in ("qualified", "opportunity"))


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked for. `tracks` are all names of the tracks, None for all; `qualified_at` is the score of an MQL.

    `by` is the trait to tell leads apart by.
    """

    period: Period
    now: datetime
    qualified_at: int
    tracks: Collection[str] | None = None
    rates: Rates | None = None
    by: str = "source"


@dataclass(frozen=True, slots=True)
class Sum:
    """Deals, what they are worth in the reporting currency, and those that are in no sum, and why."""

    deals: tuple[Deal, ...]
    amount: Decimal
    without_rate: tuple[Money, ...]

    @property
    def without_amount(self) -> int:
        """How many name no amount that can be read."""
        return sum(deal.money is None for deal in self.deals)

    @property
    def summed(self) -> int:
        """How many are in the sum."""
        return len(self.deals) - self.without_amount - len(self.without_rate)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All measures.

    `ahead` counts behaviours that are dated after now, `erased` erased leads, `removed` mails past their retention.
    """

    scope: Scope
    rates: Rates
    funnel: Funnel
    mails: tuple[MailGroup, ...]
    response: Survival
    won: Sum
    lost: Sum
    open: Sum
    paths: DealPaths
    ahead: int
    erased: int
    removed: int

    def worth(self) -> dict[str, float]:
        """What each won deal is worth, by its id; 0 where that is not known."""
        return {deal.id: float(_sum([deal], self.rates, self.scope.period).amount) for deal in self.won.deals}


async def read_outcomes(session: AsyncSession, scope: Scope) -> Outcomes:
    """Measure. Without rates the report is in the currency of most deals."""
    period, tracks = scope.period, scope.tracks
    if session.get_bind().dialect.name == "postgresql":  # else it sorts millions of rows on disk
        await session.execute(text("SET LOCAL work_mem = '64MB'"))
    deals = await read_deals(session, period.until)
    rates = scope.rates or Rates(commonest_currency(deal.money for deal in deals if deal.money is not None))
    have_deals = {deal.lead_id for deal in deals}
    funnel, milestones = Funnel(period), dict[str, tuple[datetime, ...]]()
    async for lead in read_milestones(
        session, qualified_at=scope.qualified_at, until=period.until, tracks=tracks, by=scope.by
    ):
        funnel.add(lead)
        if lead.lead_id in have_deals:
            moments = (lead.at[_QUALIFIED], lead.at[_OPPORTUNITY])
            milestones[lead.lead_id] = tuple(at for at in moments if at is not None)
    if tracks is not None:
        deals = [deal for deal in deals if deal.lead_id in milestones]
    won = of_period(deals, "won", period.since, period.until)
    return Outcomes(
        scope,
        rates,
        funnel,
        tuple(await read_engagement(session, period, tracks)),
        await read_response(session, period, tracks),
        _sum(won, rates, period),
        _sum(of_period(deals, "lost", period.since, period.until), rates, period),
        _sum([deal for deal in deals if deal.outcome == "open"], rates, period),
        await read_paths(session, period, won, milestones, tracks),
        ahead=await session.scalar(select(func.count()).where(BehaviourRow.at > scope.now)) or 0,
        erased=await session.scalar(select(func.count()).where(LeadRow.erased_at.is_not(None))) or 0,
        removed=await session.scalar(select(func.sum(Removed.number)).where(Removed.what == "touch")) or 0,
    )


def _sum(deals: Sequence[Deal], rates: Rates, period: Period) -> Sum:
    dated = [(deal.money, deal.at.astimezone(period.zone).date()) for deal in deals]
    amount, without = total(((money, on) for money, on in dated if money is not None), rates)
    return Sum(tuple(deals), amount, tuple(without))
