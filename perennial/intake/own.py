"""Our own events: behaviours that the command line, the pages and the demo report."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from perennial.intake.fields import moment_of
from perennial.intake.meaning import IGNORED, Meaning
from perennial.intake.outbox import Incoming
from perennial.intake.reports import Report

SOURCE = "own"

MARK_DONE = update(Event).where(Event.source == SOURCE, Event.event_id == bindparam("event")).values(state="done")
"""Take one of our events, `event`, off the outbox: its journeys have been told."""


def event_of(report: Report, received_at: datetime) -> Incoming:
    """The event that stores a report which we received then."""
    body: dict[str, Any] = {
        "name": report.name,
        "props": report.props,
        "at": report.at.isoformat(),
        "touch_id": report.touch_id,
        "bot": report.bot,
        "history": report.history,
    }
    return Incoming(SOURCE, report.id, (report.id,), body, received_at, lead_id=report.lead_id)


async def read_own(_: AsyncSession, event: Event) -> Meaning:
    """The report that an event stores; its id is the event's."""
    body = event.body
    if event.lead_id is None or event.event_id is None:
        return IGNORED
    report = Report(
        event.event_id,
        event.lead_id,
        str(body["name"]),
        dict(body.get("props") or {}),
        moment_of(body.get("at")) or event.received_at,
        body.get("touch_id"),
        bot=bool(body.get("bot")),
        history=bool(body.get("history")),
    )
    return Meaning("done", (report,))
