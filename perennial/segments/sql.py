"""A segment as SQL: each predicate is a SELECT of lead ids; `&`, `|` and `~` are INTERSECT, UNION and EXCEPT.

So a complement is exact, and no NOT IN grows with the square of the leads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, assert_never

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, except_, func, intersect, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment
from models.leads import BehaviourRow, LeadRow, Preference, ScoreEntry, Suppression
from nurture.journey.patterns import Pattern
from nurture.people.scoring import Score, ScoringModel
from nurture.segments.behaviour import Did
from nurture.segments.named import Segment
from nurture.segments.order import InOrder, LastDid
from nurture.segments.predicates import Both, Either, Not, Predicate
from nurture.segments.standing import (
    COMPARE,
    STAGE_AFTER,
    BandIs,
    FitIs,
    InBucket,
    LastWas,
    OnTrack,
    ScoreIs,
    Subscribed,
    Suppressed,
)
from nurture.segments.traits import TraitIs
from perennial.leads.scores_now import ScoresNow
from perennial.leads.selection import among
from perennial.segments.traits_sql import prop_clause, trait_clause

Ids = Select[str] | CompoundSelect[str]

LIVE = and_(LeadRow.erased_at.is_(None), LeadRow.merged_into.is_(None))


async def ids_of(session: AsyncSession, segment: Predicate, scores: ScoresNow) -> Ids:
    """A SELECT of the ids of the leads in a segment, as of `scores.now`; none that is erased or merged."""
    leaves = list(segment.leaves())
    compiling = _Compiling(session, scores.model, scores.now)
    if any(isinstance(each, ScoreIs | BandIs) for each in leaves):
        compiling.faded = await scores.faded(session, LIVE)
    for leaf in leaves:
        match leaf:
            case Did():
                await compiling.find_subjects(leaf)
            case InOrder(parts=parts):
                for part in parts:
                    await compiling.find_subjects(part)
            case LastDid(part=part):
                await compiling.find_subjects(part)
            case InBucket() if not compiling.everybody:
                compiling.everybody = list(await session.scalars(compiling.live))
    return _joined(intersect, (compiling.live, compiling.ids(segment)))


async def in_segment(session: AsyncSession, segment: Predicate, scores: ScoresNow) -> ColumnElement[bool]:
    """As a condition on `LeadRow`."""
    return LeadRow.id.in_(await ids_of(session, segment, scores))


@dataclass(slots=True)
class _Compiling:
    """What the SELECTs of one evaluation share.

    Its `now`, scores that are not the stored ones, subjects of globs, and everybody's id if lots are drawn.
    """

    session: AsyncSession
    model: ScoringModel
    now: datetime
    faded: dict[str, Score] = field(default_factory=dict)
    subjects: dict[Pattern, list[str]] = field(default_factory=dict)
    everybody: list[str] = field(default_factory=list)

    @property
    def live(self) -> Select[str]:
        return select(LeadRow.id).where(LIVE)

    async def find_subjects(self, did: Did) -> None:
        """Which of the subjects that there are each glob means: globs match in Python alone, so everywhere alike."""
        for pattern in map(Pattern.parse, did.matcher.patterns):
            if pattern.subject and pattern not in self.subjects:
                of_name = BehaviourRow.name == pattern.name
                there = await self.session.scalars(select(BehaviourRow.subject).where(of_name).distinct())
                self.subjects[pattern] = [each for each in there if pattern.matches(pattern.name, each)]

    def ids(self, predicate: Predicate) -> Ids:  # noqa: C901, PLR0911, PLR0912 - a case each
        """A SELECT of the leads for which it holds."""
        match predicate:
            case Both(parts):
                return self._all_of(parts)
            case Either(parts):
                return _joined(union, [self.ids(each) for each in parts])
            case Not(part):
                return _joined(except_, [self.live, self.ids(part)])
            case Segment():
                return self.ids(predicate.meant)
            case TraitIs():
                sqlite = self.session.get_bind().dialect.name == "sqlite"
                return select(LeadRow.id).where(trait_clause(predicate, sqlite=sqlite))
            case Did():
                return self._did(predicate)
            case InOrder():
                return self._in_order(predicate)
            case LastDid():
                return self._last_did(predicate)
            case Subscribed(topic):
                unwanted = select(Preference.lead_id).where(Preference.topic == topic, ~Preference.wanted)
                return _joined(except_, [self.live, unwanted])
            case InBucket():
                drawn = [lead_id for lead_id in self.everybody if predicate.draws(lead_id)]
                return select(LeadRow.id).where(among(self.session, drawn))
            case LastWas(names):
                return self._last_was(names)
            case ScoreIs() | BandIs():
                return self._scored(predicate)
            case FitIs():
                return self._fit(predicate)
            case OnTrack(tracks):
                on = select(Enrolment.lead_id).where(Enrolment.status != "finished")
                return on.where(Enrolment.track.in_(tracks)) if tracks else on
            case Suppressed():
                return select(Suppression.lead_id)
        raise TypeError(f"{predicate!r} has no SQL; a predicate of its own needs a case here")

    def _all_of(self, parts: Sequence[Predicate]) -> Ids:
        """Those who meet all: who are not meant are taken off at the end, so that no complement is spelled out."""
        wanted = [self.ids(each) for each in parts if not isinstance(each, Not)] or [self.live]
        unwanted = [self.ids(each.part) for each in parts if isinstance(each, Not)]
        found = wanted[0] if len(wanted) == 1 else _joined(intersect, wanted)
        return _joined(except_, [found, *unwanted]) if unwanted else found

    def _did(self, did: Did) -> Ids:
        if did.at_least == 0:
            return (
                self.live if did.at_most is None else _joined(except_, [self.live, self._counted(did, did.at_most + 1)])
            )
        enough = self._counted(did, did.at_least)
        return enough if did.at_most is None else _joined(except_, [enough, self._counted(did, did.at_most + 1)])

    def _counted(self, did: Did, least: int) -> Ids:
        """Who did it at least so often, which is once or more."""
        found = select(BehaviourRow.lead_id).where(self._meant(did, did.window)).group_by(BehaviourRow.lead_id)
        return found.having(func.count() >= least) if least > 1 else found

    def _meant(self, did: Did, window: timedelta | None) -> ColumnElement[bool]:
        """Whether a behaviour is one of those meant, within a time before now."""
        counts = or_(*map(self._matches, map(Pattern.parse, did.matcher.patterns)))
        sqlite = self.session.get_bind().dialect.name == "sqlite"
        props = [prop_clause(each, sqlite=sqlite) for each in did.props]
        since = [] if window is None else [BehaviourRow.at >= self.now - window]
        return and_(counts, BehaviourRow.at < self.now, ~BehaviourRow.bot, *props, *since)

    def _in_order(self, order: InOrder) -> Ids:
        """Who did the first, and each of the others after the earliest moment by which those before it were done."""
        reached: Any = None
        for part in order.parts:
            found = select(BehaviourRow.lead_id.label("lead_id"), func.min(BehaviourRow.at).label("at"))
            found = found.where(self._meant(part, order.window))
            if reached is not None:
                found = found.join(reached, reached.c.lead_id == BehaviourRow.lead_id)
                found = found.where(BehaviourRow.at > reached.c.at)
            reached = found.group_by(BehaviourRow.lead_id).subquery()
        ids: Select[str] = select(reached.c.lead_id)
        return ids

    def _last_did(self, did: LastDid) -> Ids:
        newest = func.max(BehaviourRow.at)
        found = select(BehaviourRow.lead_id).where(self._meant(did.part, None)).group_by(BehaviourRow.lead_id)
        found = found.having(newest < self.now - did.at_least)
        return found if did.at_most is None else found.having(newest >= self.now - did.at_most)

    def _matches(self, pattern: Pattern) -> ColumnElement[bool]:
        of_name = BehaviourRow.name == pattern.name
        return and_(of_name, BehaviourRow.subject.in_(self.subjects[pattern])) if pattern.subject else of_name

    def _last_was(self, names: tuple[str, ...]) -> Ids:
        newest_first = (BehaviourRow.at.desc(), BehaviourRow.id.desc())
        number = func.row_number().over(partition_by=BehaviourRow.lead_id, order_by=newest_first).label("number")
        changes = select(BehaviourRow.lead_id, BehaviourRow.name, number).where(
            BehaviourRow.name.in_(tuple(STAGE_AFTER)), BehaviourRow.at < self.now, ~BehaviourRow.bot
        )
        last = changes.subquery()
        return select(last.c.lead_id).where(last.c.number == 1, last.c.name.in_(names))

    def _fit(self, fit: FitIs) -> Ids:
        of_fit = and_(
            ScoreEntry.lead_id == LeadRow.id,
            ScoreEntry.rule.in_([rule.name for rule in self.model.fit]),
            ScoreEntry.at <= self.now,
        )
        found = select(LeadRow.id).outerjoin(ScoreEntry, of_fit).group_by(LeadRow.id)
        points: Any = func.coalesce(func.sum(ScoreEntry.points), 0)
        meant: Any = COMPARE[fit.test](points, fit.value)
        return found.having(meant)

    def _scored(self, predicate: ScoreIs | BandIs) -> Ids:
        meant = [lead_id for lead_id, score in self.faded.items() if predicate.passes(score.total, score.band)]
        stored: ColumnElement[bool]
        match predicate:
            case ScoreIs(test, value):
                stored = COMPARE[test](LeadRow.score, value)  # type: ignore[arg-type,assignment]  # a column compares so
            case BandIs(bands):
                stored = LeadRow.band.in_(bands)
            case _:
                assert_never(predicate)
        as_stored = and_(stored, ~among(self.session, list(self.faded)))
        return select(LeadRow.id).where(or_(as_stored, among(self.session, meant)))


def _joined(how: Callable[..., CompoundSelect[str]], parts: Sequence[Ids]) -> Ids:
    return how(*(select(each.subquery().c[0]) for each in parts))
