"""Credit the pieces that came before won deals: each credit traceable to its touch, by several models at once."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import BehaviourRow
from models.touches import Touch
from nurture.measures.attribution import RULES, credit
from nurture.measures.markov import removal_effects_of
from nurture.measures.paths import Credit, Path, PathTouch, total_by_channel
from nurture.measures.shapley import shapley
from perennial.reports.deals import Deal
from perennial.reports.period import AT_ONCE, Period, on_tracks

MODELS = (*RULES, "markov", "shapley")

_BETWEEN = "\x1f"
"""Stands between the pieces of a path in the database: ASCII's unit separator, which no piece has in its name."""


@dataclass(slots=True)
class DealPaths:
    """The paths to won deals, one a deal, each worth 1; `lost` counts the paths of leads that won none, by pieces."""

    won: list[tuple[Deal, Path]] = field(default_factory=list)
    lost: Counter[tuple[tuple[str, ...], bool]] = field(default_factory=Counter)

    @property
    def untouched(self) -> int:
        """Deals that no mail came before: nothing earns credit for them."""
        return sum(not path.touches for _, path in self.won)

    def credits_by(self, model: str) -> dict[str, float]:
        """How many deals each piece is credited with by a model of MODELS, the most first."""
        paths = [path for _, path in self.won]
        if model == "markov":
            return self._by_markov(paths)
        return total_by_channel(self.trace(model))

    def trace(self, model: str, worth: Mapping[str, float] | None = None) -> list[Credit]:
        """Each touch's credit by a rule or by Shapley's value; `worth` by deal's id, instead of 1."""
        paths = [path if worth is None else replace(path, worth=worth.get(deal.id, 0.0)) for deal, path in self.won]
        return shapley(paths) if model == "shapley" else credit(paths, RULES[model])

    def _by_markov(self, paths: Sequence[Path]) -> dict[str, float]:
        alike = Counter((path.channels, True) for path in paths if path.touches)
        shares = removal_effects_of(alike + self.lost).shares()
        return {
            piece: alike.total() * share for piece, share in sorted(shares.items(), key=lambda one: (-one[1], one[0]))
        }


async def read_paths(
    session: AsyncSession,
    period: Period,
    deals: Sequence[Deal],
    milestones: Mapping[str, tuple[datetime, ...]],
    tracks: Collection[str] | None = None,
) -> DealPaths:
    """The mails that each deal's lead got before it was won, and those of all leads that won none in the period.

    `milestones` are when a lead qualified, and when its deal was opened, by lead.
    """
    found = DealPaths()
    by_lead: dict[str, list[Deal]] = {}
    for deal in deals:
        by_lead.setdefault(deal.lead_id, []).append(deal)
    async for lead_id, touches in _touches_of_winners(session, period, tracks):
        own = by_lead.pop(lead_id, ())
        pieces = () if own else tuple([touch.channel for touch in touches if touch.at >= period.since])
        if pieces:  # it has won a deal in another period, or none that still counts as won
            found.lost[pieces, False] += 1
        for deal in own:
            before = tuple(touch for touch in touches if touch.at <= deal.at)
            found.won.append((deal, Path(before, 1.0, deal.at, milestones.get(lead_id, ()))))
    found.won += [(deal, Path((), 1.0, deal.at)) for own in by_lead.values() for deal in own]
    for pieces, leads in await _paths_of_others(session, period, tracks):
        found.lost[pieces, False] += leads
    return found


def _mailed(period: Period, tracks: Collection[str] | None, *, winners: bool) -> ColumnElement[bool]:
    """Mails before the period's end; of the leads that ever won a deal before it, or of all others."""
    won = select(BehaviourRow.lead_id).where(BehaviourRow.name == "deal.won", BehaviourRow.at < period.until)
    whose = Touch.lead_id.in_(won) if winners else Touch.lead_id.not_in(won)
    return and_(Touch.state == "accepted", Touch.at < period.until, on_tracks(Touch.track, tracks), whose)


async def _paths_of_others(
    session: AsyncSession, period: Period, tracks: Collection[str] | None
) -> list[tuple[tuple[str, ...], int]]:
    """The pieces that leads who won no deal got in the period, in order, and how many leads got just these.

    Counted in the database: there are as many rows as there are different paths, not as there are mails.
    """
    order = (Touch.at, Touch.id)
    whole = func.aggregate_strings(Touch.piece, _BETWEEN)
    of_mails = (
        select(
            whole.over(partition_by=Touch.lead_id, order_by=order, rows=(None, None)).label("path"),
            func.row_number().over(partition_by=Touch.lead_id, order_by=order).label("place"),
        )
        .where(_mailed(period, tracks, winners=False), Touch.at >= period.since)
        .subquery()
    )
    rows = await session.execute(
        select(of_mails.c.path, func.count()).where(of_mails.c.place == 1).group_by(of_mails.c.path)
    )
    return [(tuple(path.split(_BETWEEN)), leads) for path, leads in rows]


async def _touches_of_winners(
    session: AsyncSession, period: Period, tracks: Collection[str] | None
) -> AsyncIterator[tuple[str, list[PathTouch]]]:
    """The mails of each lead that ever won a deal, oldest first."""
    rows = await session.stream(
        select(Touch.lead_id, Touch.id, Touch.piece, Touch.at)
        .where(_mailed(period, tracks, winners=True))
        .order_by(Touch.lead_id, Touch.at, Touch.id)
    )
    last, touches = "", list[PathTouch]()
    async for part in rows.partitions(AT_ONCE):
        for lead_id, touch_id, piece, at in part:
            if lead_id != last and touches:
                yield last, touches
                touches = []
            last = lead_id
            touches.append(PathTouch(touch_id, piece, at))
    if touches:
        yield last, touches
