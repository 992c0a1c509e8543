"""Who would go on a track, who would not and why, and the first mail of each: asked before anything starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from models.journeys import RUNNING
from models.leads import LeadRow
from nurture.content.catalogue import Catalogue
from nurture.errors import RefusedError
from nurture.journey.journal import Journal
from nurture.journey.track import Track
from perennial.journeys.enrolling import first_fact, last_enrolment, refuse_entry
from perennial.journeys.foreseeing import foresee, prospect_of
from perennial.leads.scores_now import ScoresNow


@dataclass(frozen=True, slots=True)
class Entry:
    """What would become of one lead: `refused` says why it stays out; else its first mail, and when it leaves.

    `on_it` is a lead that is on the track already, `resumed` one whose enrolment an earlier run left over. Without a
    `piece`, `says` is why no mail is to come. `put_off` is why the gate moves the mail, `skipped` what it refuses
    before, `guess` what else may change it.
    """

    lead_id: str
    name: str
    time_zone: str
    refused: str = ""
    on_it: bool = False
    resumed: bool = False
    piece: str = ""
    at: datetime | None = None
    says: str = ""
    put_off: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    guess: tuple[str, ...] = ()


async def preview_entry(
    session: AsyncSession, track: Track, lead_id: str, catalogue: Catalogue, scores: ScoresNow
) -> Entry:
    """What would become of a lead on the track. Raises TrackError if the track's code breaks."""
    now = scores.now
    lead = await session.get_one(LeadRow, lead_id)
    name = " ".join(filter(None, (lead.first_name, lead.last_name))) or lead.email
    try:
        last = await refuse_entry(session, track, lead, now)
    except RefusedError as error:
        on_track = await last_enrolment(session, track, lead.id)
        running = on_track is not None and on_track.status in RUNNING
        return Entry(lead.id, name, lead.time_zone, refused=str(error), on_it=running)
    resumed = last is not None and last.status == "starting"
    begins = last.started_at if last is not None and resumed else now
    first = await first_fact(session, lead, begins, "previewed", scores)
    prospect = await prospect_of(session, lead, track, now)
    mail = foresee(track, Journal([first]), now, catalogue, prospect, scores.model, mail_only=True)
    return Entry(
        lead.id,
        name,
        lead.time_zone,
        resumed=resumed,
        piece=mail.piece,
        at=mail.at,
        says="" if mail.piece else mail.what,
        put_off=mail.put_off,
        skipped=mail.skipped,
        guess=mail.guess,
    )
