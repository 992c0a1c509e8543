"""Choose a demo's leads from a file: an audience for each of the three tracks, enrolled as weeks pass.

A file may name the audience itself, in a column `Audience` (new, lost, dormant) that the mapping keeps in `segment`. In
any other file a lead is *lost* if a column kept in `segment` says so (`Lost to EINS`, `Closed lost`), *dormant* if the
file holds nothing that the lead ever did, and *new* otherwise.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow
from nurture.errors import InputError
from perennial.demo.world import ScheduledEnrolment
from perennial.leads.importing.leads_file import LeadRecord, Reject, read_leads
from perennial.leads.importing.mapping import LeadMapping


@dataclass(frozen=True, slots=True)
class Audience:
    """`share`: how many of each 20 leads. `within`: the first part of the demo in which they are enrolled."""

    track: str
    cause: str
    share: int
    within: float


AUDIENCES = {
    "new": Audience("new-lead", "content download", 11, 0.25),
    "lost": Audience("lost-deal", "deal lost", 5, 0.15),
    "dormant": Audience("re-engagement", "silent for long", 4, 0.10),
}

_LOST = re.compile(r"\blost\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ChosenLeads:
    """A demo's leads as records to import, each with its audience; and the rows that are no leads."""

    records: tuple[LeadRecord, ...]
    audiences: Mapping[str, str]  # by address key
    rejects: tuple[Reject, ...]


def choose_leads(path: Path, mapping: LeadMapping, count: int) -> ChosenLeads:
    """Choose `count` leads of a file in its order, each audience by its share as far as the file has them.

    Raises InputError if the file has fewer good rows, ImportFileError if it cannot be read.
    """
    waiting: dict[str, list[LeadRecord]] = {name: [] for name in AUDIENCES}
    rejects: list[Reject] = []
    for row in read_leads(path, mapping):
        if isinstance(row, Reject):
            rejects.append(row)
        else:
            waiting[audience_of(row)].append(row)
    found = sum(map(len, waiting.values()))
    if found < count:
        raise InputError(f"{path} has {found:,} leads; ask for at most {found} with --leads")
    queues = {name: iter(rows) for name, rows in waiting.items()}
    chosen: dict[str, str] = {}
    records: list[LeadRecord] = []
    for name in cycle([name for name, audience in AUDIENCES.items() for _ in range(audience.share)]):
        if len(records) == count:
            break
        if (record := next(queues[name], None)) is not None:
            records.append(record)
            chosen[record.email_key] = name
    return ChosenLeads(tuple(sorted(records, key=lambda each: each.row)), chosen, tuple(rejects))


def audience_of(record: LeadRecord) -> str:
    """new, lost or dormant."""
    named = record.segment.get("Audience", "").strip().lower()
    if named in AUDIENCES:
        return named
    if any(_LOST.search(text) for text in record.segment.values()):
        return "lost"
    return "new" if record.behaviours else "dormant"


async def schedule_enrolments(
    session: AsyncSession, chosen: ChosenLeads, seed: int, begin: datetime, length: timedelta
) -> Sequence[ScheduledEnrolment]:
    """When each of the imported leads is enrolled, and on which track; the same for the same seed."""
    rows = await session.execute(
        select(LeadRow.email_key, LeadRow.id)
        .where(LeadRow.email_key.in_(list(chosen.audiences)))
        .order_by(LeadRow.email_key)
    )
    draw = random.Random(seed)
    scheduled: list[ScheduledEnrolment] = []
    for email_key, lead_id in rows:
        audience = AUDIENCES[chosen.audiences[email_key]]
        at = begin + length * audience.within * draw.random()
        scheduled.append(ScheduledEnrolment(lead_id, email_key, audience.track, audience.cause, at))
    return scheduled
