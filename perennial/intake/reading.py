"""Read stored events and record what they mean, many in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import LeadRow
from models.touches import Touch
from perennial.intake import own
from perennial.intake.listener import Listener
from perennial.intake.meaning import Meaning, Translator
from perennial.intake.reports import Receipt, Report
from perennial.leads.suppression import SUPPRESSES
from perennial.platform.database import in_parts

_MAILS = ("perennial_touch_id", "touch_id")
"""The fields in which SendGrid's events, and our own clicks, name the mail."""


@dataclass(frozen=True, slots=True)
class Read:
    """An event by its number, what it means, what became of the behaviours it reports, and its visitor, if any."""

    number: int
    meaning: Meaning
    receipts: list[Receipt] = field(default_factory=list)
    visitor: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch has shown so far: visitors who are nobody yet, and leads with earlier events to be told first."""

    nobodys: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)

    def leaves_out(self, event: Event, meaning: Meaning) -> bool:
        """Take note of an event; whether earlier events of its lead come first."""
        if meaning.state == "anonymous" and event.anonymous_id:
            self.nobodys.add(event.anonymous_id)
        now = meaning.attached
        if now is not None and (now.any or not self.nobodys.isdisjoint(now.visitors)):
            self.later.add(now.lead_id)
        return not self.later.isdisjoint(report.lead_id for report in meaning.reports)


async def read_all(
    session: AsyncSession, events: Sequence[Event], translator: Translator, listener: Listener, batch: Batch
) -> list[Read]:
    """Read events in order, and record what they report. Raises what a reader raises, and NotFoundError.

    What a lead did after earlier events were attached to it is not among the answers: it is read again after those.
    """
    reads: list[Read] = []
    waiting: list[Read] = []
    at_hand = await _at_hand(session, events)
    for event in events:
        if waiting and _looks_back(event, [report for read in waiting for report in read.meaning.reports]):
            await _record(session, waiting, listener)
            waiting = []
        meaning = await translator.meaning(session, event)
        if batch.leaves_out(event, meaning):
            continue
        attached = None not in {event.anonymous_id, event.lead_id}
        reports = [replace(each, received_at=event.received_at, attached=attached) for each in meaning.reports]
        meaning = replace(meaning, reports=tuple(reports))
        read = Read(event.id, meaning, visitor=event.anonymous_id)
        reads.append(read)
        if meaning.reports:
            waiting.append(read)
    await _record(session, waiting, listener)
    del at_hand
    return reads


async def _at_hand(session: AsyncSession, events: Sequence[Event]) -> list[object]:
    """The mails that events are about, and their leads: readers find them in the session while these are kept."""
    named = {event.body.get(name) for event in events for name in _MAILS if event.source != own.SOURCE}
    ids = sorted(each for each in named if isinstance(each, str))
    found: list[object] = []
    for part in in_parts(ids):
        touches = (await session.scalars(select(Touch).where(Touch.id.in_(part)))).all()
        leads = await session.scalars(select(LeadRow).where(LeadRow.id.in_({touch.lead_id for touch in touches})))
        found += [*touches, *leads]
    return found


async def _record(session: AsyncSession, waiting: Sequence[Read], listener: Listener) -> None:
    receipts = iter(await listener.record(session, [report for read in waiting for report in read.meaning.reports]))
    for read in waiting:
        read.receipts.extend(next(receipts) for _ in read.meaning.reports)


def _looks_back(event: Event, earlier: Sequence[Report]) -> bool:
    """Whether reading an event may depend on what these report, so that they are recorded first.

    A click is judged beside the earlier clicks on its mail; consent is read after what was withdrawn.
    """
    if event.source == own.SOURCE:
        return False
    mails = {report.touch_id for report in earlier if report.touch_id}
    of_known_mail = not mails.isdisjoint(value for value in event.body.values() if isinstance(value, str))
    by_message = bool(mails) and "sg_message_id" in event.body and "perennial_touch_id" not in event.body
    return of_known_mail or by_message or any(report.name in SUPPRESSES for report in earlier)
