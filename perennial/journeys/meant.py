"""Which steps somebody means by what they have: a step, a piece, a touch's id, a subject line, a day."""

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, tzinfo

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import Enrolment
from models.touches import Message, Touch
from nurture.content.catalogue import Catalogue
from perennial.journeys.because import Wanted, names_of

DAYS = ("%Y-%m-%d", "%d %b %Y", "%a %d %b %Y", "%d %B %Y", "%d.%m.%Y")
"""How people write a day; the second and third are how `show` prints one."""

_ANSWERED = re.compile(r"^\s*((re|aw|fwd?|wg|tr|sv)\s*:\s*)+", re.IGNORECASE)
_TEMPLATED = re.compile(r"{{.*?}}|{%.*?%}")
_LEAST_OF_ITS_OWN = 4  # letters that a subject line must have besides what is filled in


def named(said: str) -> Wanted:
    """The steps of a name."""
    return lambda _, key, at: bool(key) and said in names_of(key)  # noqa: ARG005 - the protocol's


async def mailed(session: AsyncSession, enrolments: Sequence[Enrolment], said: str, catalogue: Catalogue) -> Wanted:
    """The sends of a touch, of a piece, or of mails with a subject line, as it was sent or as it is written."""
    line = _ANSWERED.sub("", said).strip()
    pieces = [each.id for each in catalogue.pieces.values() if any(_fits(line, subject) for subject in each.subjects)]
    sends = select(Touch.enrolment_id, Touch.step_key).outerjoin(Message, Message.touch_id == Touch.id)
    sends = sends.where(Touch.enrolment_id.in_([each.id for each in enrolments]))
    exact = await session.execute(sends.where(or_(Touch.id == said, Touch.piece == said)))
    found = {(enrolment_id, key) for enrolment_id, key in exact}
    if not found:
        as_sent = await session.execute(sends.where(func.lower(Message.subject) == line.lower()))
        found = {(enrolment_id, key) for enrolment_id, key in as_sent}
    if not found:
        as_written = await session.execute(sends.where(Touch.piece.in_(pieces)))
        found = {(enrolment_id, key) for enrolment_id, key in as_written}
    return lambda enrolment, key, at: (enrolment.id, key) in found  # noqa: ARG005 - the protocol's


def on_day(day: date, zone: tzinfo) -> Wanted:
    """The steps done on a day in this zone."""
    return lambda _, key, at: at.astimezone(zone).date() == day  # noqa: ARG005 - the protocol's


def day_of(said: str) -> date | None:
    """The day that is said, if one is."""
    for form in DAYS:
        try:
            return datetime.strptime(said.strip(), form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return None


def end_of(day: date, zone: tzinfo) -> datetime:
    """The moment at which a day is over in this zone."""
    return datetime.combine(day + timedelta(days=1), time(), zone)


def _fits(line: str, subject: str) -> bool:
    """Whether a line may be this subject, rendered for somebody."""
    own = _TEMPLATED.split(subject)
    if sum(map(len, (part.strip() for part in own))) < _LEAST_OF_ITS_OWN:
        return False
    return re.fullmatch(".*".join(map(re.escape, own)), line, re.IGNORECASE | re.DOTALL) is not None
