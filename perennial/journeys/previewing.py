"""Who would go on a track, who would not and why, and the first mail of each: asked before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow
from models.touches import Touch
from nurture.bench.life import Life
from nurture.content.catalogue import Catalogue
from nurture.errors import RefusedError
from nurture.journey.decision import Send
from nurture.journey.facts import Enrolled
from nurture.journey.journal import Journal
from nurture.journey.track import Track
from nurture.timing.calendar import next_open
from perennial.journeys.enrolling import refuse_entry
from perennial.leads.scores_now import ScoresNow

MOST_TURNS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """What would become of one lead: `refused` says why it stays out; else its first mail, and when it may go."""

    lead_id: str
    name: str
    refused: str = ""
    piece: str = ""
    at: datetime | None = None


async def preview_entries(
    session: AsyncSession, track: Track, lead_ids: Sequence[str], catalogue: Catalogue, scores: ScoresNow
) -> list[Entry]:
    """What would become of these leads on the track, in order. Raises TrackError if its code breaks."""
    found: list[Entry] = []
    now = scores.now
    for lead_id in lead_ids:
        lead = await session.get_one(LeadRow, lead_id)
        name = " ".join(filter(None, (lead.first_name, lead.last_name))) or lead.email
        try:
            await refuse_entry(session, track, lead, now)
        except RefusedError as error:
            found.append(Entry(lead.id, name, refused=str(error)))
            continue
        seen = await session.scalars(select(Touch.piece).where(Touch.lead_id == lead_id, Touch.state != "refused"))
        score = await scores.of(session, lead)
        traits = {name_: str(value) for name_, value in lead.traits.items()}
        first = Enrolled(now, lead.id, "previewed", score.total, score.stage, traits, tuple(seen))
        piece, at = _first_mail(track, first, catalogue)
        if at is not None:
            at = max(at, lead.mail_paused_until or at)
            at = next_open(at, lead.time_zone, track.quiet_hours, lead.country)
        found.append(Entry(lead.id, name, piece=piece, at=at))
    return found


def _first_mail(track: Track, first: Enrolled, catalogue: Catalogue) -> tuple[str, datetime | None]:
    """The first piece that the track sends a lead that does nothing, and when; none if it sends none."""
    life = Life(track, Journal([first]), now=first.at, catalogue=catalogue)
    for number, turn in enumerate(life.turns()):
        if isinstance(turn.decision.next, Send):
            return turn.decision.next.piece, turn.at
        if number > MOST_TURNS:
            break
    return "", None
