"""Who is never to be mailed, as keyed hashes of addresses: kept beside the backups, and fed in after one was restored.

A database restored to yesterday knows nothing of today's opt-outs and erasures, and would mail those leads. The lines
hold no address: without the installation's secret they say nothing.
"""

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow, SuppressedAddress, Suppression
from nurture.errors import InputError
from perennial.leads.suppressed_addresses import address_hash
from perennial.leads.suppression import reason_of
from perennial.platform.database import Database, upsert_ignore
from perennial.platform.secrets import Secrets
from perennial.privacy.erase import ERASED, Eraser
from perennial.privacy.suppressor import Suppressor


@dataclass(frozen=True, slots=True)
class Line:
    """One address that is never to be mailed, by its hash, with the reason and since when."""

    hash: str
    reason: str
    at: datetime

    def text(self) -> str:
        """As a line of JSON."""
        return json.dumps(asdict(self) | {"at": self.at.isoformat()})


@dataclass(frozen=True, slots=True)
class Fed:
    """What feeding in changed: leads suppressed, leads erased again, addresses of nobody; and what was known before."""

    suppressed: int = 0
    erased: int = 0
    addresses: int = 0
    known: int = 0


async def never_mailed(session: AsyncSession, secrets: Secrets) -> AsyncIterator[Line]:
    """Everybody who is suppressed now, and every address that must not become a lead's."""
    wanted = (
        select(LeadRow.email_key, Suppression.reason, Suppression.at)
        .join(LeadRow, LeadRow.id == Suppression.lead_id)
        .where(LeadRow.erased_at.is_(None))
        .order_by(Suppression.id)
    )
    for email_key, reason, at in await session.execute(wanted):
        yield Line(address_hash(secrets.newest, email_key), reason, at)
    for row in await session.scalars(select(SuppressedAddress).order_by(SuppressedAddress.at, SuppressedAddress.hash)):
        yield Line(row.hash, row.reason, row.at)


def read_lines(lines: Iterable[str]) -> list[Line]:
    """The lines of a file. Raises InputError that names a line which is none."""
    found = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            given: dict[str, Any] = json.loads(text)
            found.append(Line(str(given["hash"]), str(given["reason"]), datetime.fromisoformat(given["at"])))
        except (ValueError, KeyError, TypeError):
            raise InputError(f"line {number} is no line of `opt-outs --out`") from None
    return found


@dataclass(frozen=True)
class Feeder:
    """Feeds lines into a database that was restored. The stricter wins: nothing is lifted."""

    database: Database
    secrets: Secrets
    suppressor: Suppressor
    eraser: Eraser

    async def feed(self, lines: Iterable[Line], at: datetime) -> Fed:
        """Suppress, or erase again, whom the lines are about. Safe to repeat; the relay tells the journeys."""
        leads = await self._leads()
        async with self.database.reading() as session:
            rows = await session.execute(select(Suppression.lead_id, Suppression.reason))
            before = {(lead_id, reason) for lead_id, reason in rows}
        counts = dict.fromkeys(Fed.__dataclass_fields__, 0)
        for line in lines:
            lead_id = leads.get(line.hash)
            known = (lead_id, line.reason) in before
            counts["known" if known else await self._one(line, lead_id, at)] += 1
        return Fed(**counts)

    async def _one(self, line: Line, lead_id: str | None, at: datetime) -> str:
        if lead_id is None:
            row = {"hash": line.hash, "reason": line.reason, "at": line.at}
            async with self.database.writing() as session:
                new = await session.scalar(upsert_ignore(SuppressedAddress, row).returning(SuppressedAddress.hash))
            return "known" if new is None else "addresses"
        if line.reason == ERASED:
            await self.eraser.begin(lead_id, at)
            return "erased"
        reason = reason_of(line.reason)
        done = await self.suppressor.suppress(lead_id, reason, at, source="since the backup")
        return "suppressed" if done.new else "known"

    async def _leads(self) -> dict[str, str]:
        """Leads that have an address, by its hash under every secret."""
        found: dict[str, str] = {}
        async with self.database.reading() as session:
            rows = await session.execute(select(LeadRow.email_key, LeadRow.id).where(LeadRow.erased_at.is_(None)))
            for email_key, lead_id in rows:
                found |= {address_hash(secret, email_key): lead_id for secret in self.secrets.every}
        return found
