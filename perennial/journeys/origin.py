"""Why a lead was on a track, and by which consent; and which of its sends somebody means."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment
from models.leads import Consent
from models.touches import Message, Touch


async def steps_meant(session: AsyncSession, enrolments: Sequence[Enrolment], said: str) -> list[str]:
    """The keys of the sends that a touch's id, a subject line or a day (2026-05-03) means; none if it is none of these.

    A day is one in UTC.
    """
    sends = select(Touch.step_key).outerjoin(Message, Message.touch_id == Touch.id)
    sends = sends.where(Touch.enrolment_id.in_([each.id for each in enrolments])).order_by(Touch.at.desc())
    found = await session.scalars(
        sends.where(or_(Touch.id == said, func.lower(Message.subject) == said.lower(), *_on_day(said)))
    )
    return list(dict.fromkeys(found))


def _on_day(said: str) -> list[ColumnElement[bool]]:
    try:
        day = datetime.strptime(said, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return []
    return [and_(Touch.at >= day, Touch.at < day + timedelta(days=1))]


async def origin_of(session: AsyncSession, enrolment: Enrolment) -> tuple[str, ...]:
    """How the lead came to the track, and by which consent it may be mailed."""
    granted = await session.scalar(
        select(Consent)
        .where(Consent.lead_id == enrolment.lead_id)
        .order_by(Consent.at.desc(), Consent.id.desc())
        .limit(1)
    )
    consent = f"consent {granted.action} ({granted.basis}, {granted.source})" if granted else "no consent is recorded"
    return f"on {enrolment.track} since {enrolment.started_at:%d %b %Y}: {enrolment.cause or 'cause not kept'}", consent
