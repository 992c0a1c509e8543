"""What became of mail: delivered, opened, clicked, answered, complained about. What machines did does not count."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import BehaviourRow, LeadRow
from models.touches import Touch
from nurture.measures.proportions import Rate
from perennial.reports.period import AT_ONCE, Period, on_tracks

DID = {
    "opened": "email.opened",
    "clicked": "email.clicked",
    "replied": "email.replied",
    "opted_out": "lead.opted_out",
    "complained": "email.complained",
    "bounced": "email.bounced",
}

PROVIDERS = {
    "Gmail": ("gmail.com", "googlemail.com"),
    "Microsoft": ("outlook.com", "hotmail.com", "live.com", "msn.com", "outlook.de", "hotmail.co.uk"),
    "Yahoo and AOL": ("yahoo.com", "ymail.com", "aol.com", "yahoo.co.uk", "yahoo.de", "yahoo.fr"),
    "Apple": ("icloud.com", "me.com", "mac.com"),
    "GMX and web.de": ("gmx.de", "gmx.net", "gmx.com", "gmx.at", "web.de"),
}
COMPANIES, ERASED = "companies and others", "erased leads"


@dataclass(frozen=True, slots=True)
class Engagement:
    """Mails that a provider took, and of how many each thing is true."""

    sent: int
    did: Counter[str]

    @property
    def delivered(self) -> Rate:
        """Not known to have bounced, or to have been dropped."""
        return Rate(self.sent - self.did["bounced"], self.sent)

    def rate(self, what: str) -> Rate:
        """Of the delivered ones."""
        return Rate(min(self.did[what], self.delivered.hits), self.delivered.hits)


@dataclass(frozen=True, slots=True)
class MailGroup:
    """Alike mails: of one track and piece, to one mailbox provider."""

    track: str
    piece: str
    provider: str
    mails: Engagement


async def read_engagement(
    session: AsyncSession,
    period: Period,
    tracks: Collection[str] | None = None,
    *,
    heard_until: datetime | None = None,
) -> list[MailGroup]:
    """The mails of a period by track, piece and mailbox provider; what happened to them before `heard_until`.

    That is the period's end unless it is given.
    """
    rows = await session.execute(_statement(period, tracks, heard_until or period.until))
    return [
        MailGroup(track, piece, provider, Engagement(sent, Counter(dict(zip(DID, did, strict=True)))))
        for track, piece, provider, sent, *did in rows
    ]


async def read_mail_by_day(
    session: AsyncSession, period: Period, tracks: Collection[str] | None = None
) -> dict[tuple[date, str, str], Engagement]:
    """The mails of a period by day of sending, track and piece; what happened to them before its end."""
    heard = _heard(period.until)
    rows = await session.stream(
        select(Touch.at, Touch.track, Touch.piece, *_did(heard))
        .outerjoin(heard, heard.c.touch_id == Touch.id)
        .where(_mailed(period, tracks))
    )
    sent: Counter[tuple[date, str, str]] = Counter()
    did: dict[tuple[date, str, str], Counter[str]] = defaultdict(Counter)
    async for part in rows.partitions(AT_ONCE):
        for at, track, piece, *flags in part:
            key = at.astimezone(period.zone).date(), track, piece
            sent[key] += 1
            did[key].update(what for what, flag in zip(DID, flags, strict=True) if flag)
    return {key: Engagement(sent[key], did[key]) for key in sorted(sent)}


def grouped(mails: Sequence[MailGroup], name: Callable[[MailGroup], str]) -> dict[str, Engagement]:
    """Mails by a name, the most first."""
    sent: Counter[str] = Counter()
    did: dict[str, Counter[str]] = {}
    for each in mails:
        sent[name(each)] += each.mails.sent
        did.setdefault(name(each), Counter()).update(each.mails.did)
    return {key: Engagement(number, did[key]) for key, number in sent.most_common()}


def _statement(period: Period, tracks: Collection[str] | None, heard_until: datetime) -> Select[*tuple[Any, ...]]:
    heard = _heard(heard_until)
    provider = _provider()
    return (
        select(Touch.track, Touch.piece, provider, func.count(), *(func.sum(each) for each in _did(heard)))
        .join(LeadRow, LeadRow.id == Touch.lead_id)
        .outerjoin(heard, heard.c.touch_id == Touch.id)
        .where(_mailed(period, tracks))
        .group_by(Touch.track, Touch.piece, provider)
    )


def _mailed(period: Period, tracks: Collection[str] | None) -> ColumnElement[bool]:
    in_period = and_(Touch.state == "accepted", Touch.at >= period.since, Touch.at < period.until)
    return and_(in_period, on_tracks(Touch.track, tracks))


def _heard(until: datetime) -> Subquery:
    """What people did with each mail before `until`, 1 or 0 a thing of DID."""

    def is_so(name: str) -> ColumnElement[int]:
        return func.max(case((BehaviourRow.name == name, 1), else_=0))

    return (
        select(BehaviourRow.touch_id, *(is_so(name).label(what) for what, name in DID.items()))
        .where(
            BehaviourRow.touch_id.is_not(None),
            BehaviourRow.name.in_(DID.values()),
            BehaviourRow.bot.is_(False),
            BehaviourRow.at < until,
        )
        .group_by(BehaviourRow.touch_id)
        .subquery()
    )


def _did(heard: Subquery) -> list[ColumnElement[int]]:
    """1 or 0 for each thing of DID; a mail that failed has bounced, also if no behaviour says so."""
    failed = Touch.delivery.in_(("bounced", "dropped"))
    return [
        case((or_(failed, heard.c[what] == 1) if what == "bounced" else heard.c[what] == 1, 1), else_=0) for what in DID
    ]


def _provider() -> ColumnElement[str]:
    """The mailbox provider by the address's domain; who hosts a company's mail, its domain does not say."""
    known = [
        (or_(*(LeadRow.email_key.like(f"%@{domain}") for domain in domains)), name)
        for name, domains in PROVIDERS.items()
    ]
    return case((LeadRow.erased_at.is_not(None), ERASED), *known, else_=COMPANIES)
