"""Who takes part in a demo: leads of a file, split into the audiences of the three tracks, entering as weeks pass.

A file with a column `Audience` (new, lost, dormant) that the mapping keeps in `segment` says it itself. In any other
file a lead is *lost* if a column kept in `segment` says so (`Lost to EINS`, `Closed lost`), *dormant* if the file tells
of nothing that the lead ever did, and else *new*.
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
from perennial.demo.driver import Entrance
from perennial.leads.importing.leads_file import LeadRecord, Reject, read_leads
from perennial.leads.importing.mapping import LeadMapping


@dataclass(frozen=True, slots=True)
class Audience:
    """`share`: so many of each 20 leads. `within`: they enter in this first part of the demo's time."""

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
class Cast:
    """The leads of a demo, as records to import, each with its audience; and the rows that are no leads."""

    records: tuple[LeadRecord, ...]
    audiences: Mapping[str, str]  # by address key
    rejects: tuple[Reject, ...]


def choose(path: Path, mapping: LeadMapping, leads: int) -> Cast:
    """So many leads of a file: of each audience its share, as far as the file has them, those first in it first.

    Raises InputError if the file has fewer good rows, ImportFileError if it cannot be read.
    """
    waiting: dict[str, list[LeadRecord]] = {name: [] for name in AUDIENCES}
    rejects: list[Reject] = []
    for row in read_leads(path, mapping):
        if isinstance(row, Reject):
            rejects.append(row)
        else:
            waiting[audience_of(row)].append(row)
    there = sum(map(len, waiting.values()))
    if there < leads:
        raise InputError(f"{path} has {there:,} leads; ask for at most so many with --leads")
    queues = {name: iter(rows) for name, rows in waiting.items()}
    chosen: dict[str, str] = {}
    records: list[LeadRecord] = []
    for name in cycle([name for name, audience in AUDIENCES.items() for _ in range(audience.share)]):
        if len(records) == leads:
            break
        if (record := next(queues[name], None)) is not None:
            records.append(record)
            chosen[record.email_key] = name
    return Cast(tuple(sorted(records, key=lambda each: each.row)), chosen, tuple(rejects))


def audience_of(record: LeadRecord) -> str:
    """new, lost or dormant."""
    named = record.segment.get("Audience", "").strip().lower()
    if named in AUDIENCES:
        return named
    if any(_LOST.search(text) for text in record.segment.values()):
        return "lost"
    return "new" if record.behaviours else "dormant"


async def entrances(
    session: AsyncSession, cast: Cast, seed: int, begin: datetime, length: timedelta
) -> Sequence[Entrance]:
    """When which lead, once imported, enters which track; the same for the same seed."""
    rows = await session.execute(
        select(LeadRow.email_key, LeadRow.id)
        .where(LeadRow.email_key.in_(list(cast.audiences)))
        .order_by(LeadRow.email_key)
    )
    draw = random.Random(seed)
    acts: list[Entrance] = []
    for email_key, lead_id in rows:
        audience = AUDIENCES[cast.audiences[email_key]]
        at = begin + length * audience.within * draw.random()
        acts.append(Entrance(lead_id, email_key, audience.track, audience.cause, at))
    return acts
