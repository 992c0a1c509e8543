"""Deals, from the behaviours that tell of them: when each was opened and closed, and what it is worth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import BehaviourRow
from nurture.errors import InputError
from nurture.measures.money import Money, read_money

_OUTCOMES: Mapping[str, Literal["open", "won", "lost"]] = {
    "deal.opened": "open",
    "deal.won": "won",
    "deal.lost": "lost",
}


@dataclass(frozen=True, slots=True)
class Deal:
    """One deal. `id` is the CRM's, or that of the behaviour which first told of it; `money` None: not known.

    `at` is when it reached its outcome, `opened_at` when it was opened, if we heard of that. `unreadable` says what is
    wrong with the amount that we were told last.
    """

    id: str
    lead_id: str
    outcome: Literal["open", "won", "lost"]
    at: datetime
    opened_at: datetime | None = None
    money: Money | None = None
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class DealEvent:
    """One behaviour that tells of a deal."""

    id: str
    lead_id: str
    name: str
    at: datetime
    props: Mapping[str, Any]


async def read_deals(session: AsyncSession, until: datetime) -> list[Deal]:
    """Every deal as it stood at `until`, in the order in which they reached that."""
    rows = await session.execute(
        select(BehaviourRow.id, BehaviourRow.lead_id, BehaviourRow.name, BehaviourRow.at, BehaviourRow.props)
        .where(BehaviourRow.name.in_(_OUTCOMES), BehaviourRow.at < until)
        .order_by(BehaviourRow.at, BehaviourRow.received_at, BehaviourRow.id)
    )
    return deals_of(DealEvent(*row) for row in rows)


def deals_of(events: Iterable[DealEvent]) -> list[Deal]:
    """The deals that events, in order, tell of. Without an id of the CRM, an event is of the lead's open deal.

    A deal's outcome and amount are those last told.
    """
    deals: dict[str, Deal] = {}
    unnamed: dict[str, str] = {}
    for event in events:
        key = str(event.props.get("deal") or "")
        if not key:
            last = deals.get(unnamed.get(event.lead_id, ""))
            key = event.id if last is None or last.outcome != "open" else last.id
            unnamed[event.lead_id] = key
        deals[key] = _told(deals.get(key), key, event)
    return sorted(deals.values(), key=lambda deal: (deal.at, deal.id))


def of_period(deals: Sequence[Deal], outcome: str, since: datetime, until: datetime) -> list[Deal]:
    """Those that reached an outcome in the period [since, until)."""
    return [deal for deal in deals if deal.outcome == outcome and since <= deal.at < until]


def _told(deal: Deal | None, key: str, event: DealEvent) -> Deal:
    outcome = _OUTCOMES[event.name]
    if deal is None:
        deal = Deal(key, event.lead_id, outcome, event.at)
    opened = event.at if outcome == "open" else deal.opened_at
    deal = replace(deal, lead_id=event.lead_id, outcome=outcome, at=event.at, opened_at=opened)
    amount = event.props.get("amount")
    if amount is None:
        return deal
    try:
        return replace(deal, money=read_money(amount, event.props.get("currency")), unreadable="")
    except InputError as error:
        return replace(deal, money=None, unreadable=str(error))
