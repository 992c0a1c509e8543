"""Deals that a file tells of again, otherwise than before: each counts once, as it was told last."""

from datetime import datetime
from typing import Literal, get_args

from nurture.errors import InputError
from perennial.intake.listener import keep_report
from perennial.intake.recording import Recorder
from perennial.intake.reports import Report
from perennial.leads.behaviours import correct
from perennial.leads.lookup import current_leads
from perennial.platform.database import Database

Taken = Literal["new", "corrected", "known"]
TAKEN: tuple[Taken, ...] = get_args(Taken)


async def keep_deal(database: Database, recorder: Recorder, report: Report, now: datetime) -> Taken:
    """Record a deal's behaviour; one that is known says from now on what it is told to. No journey hears a correction.

    Raises InputError if it is known of another lead, NotFoundError for an unknown lead.
    """
    receipt = await keep_report(database, recorder, report, now)
    if receipt.new:
        return "new"
    async with database.writing() as session:
        lead = (await current_leads(await session.connection(), {report.lead_id}))[report.lead_id]
        told = {"lead_id": lead, "subject": report.subject, "props": report.props, "at": report.at}
        try:
            return "corrected" if await correct(session, report.id, told) else "known"
        except InputError as error:
            deal = report.props.get("deal", "without an id")
            raise InputError(f"the deal {deal}: {error}; give it an id of its own") from None
