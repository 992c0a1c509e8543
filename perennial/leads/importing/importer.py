"""Leads into the database, a batch a transaction; importing the same file again changes nothing.

A lead is recognised by its external id, else by its address. What the file gives replaces what is stored; what it does
not give stays. An import may opt a lead out; it lifts no opt-out, and brings no erased lead or suppressed address back.
It tells about the past and signals no journey. The gate refuses the next send to a lead who opted out, and
`ImportReport.now_suppressed` names the leads whose journeys the caller may want to end at once.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import get_args

from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncSession

from nurture.people.scoring import DEFAULT_MODEL, ScoringModel
from perennial.leads.importing.changes import Changes, EarlierRows
from perennial.leads.importing.leads_file import LeadRecord, Reject
from perennial.leads.importing.mapping import ImportedReason
from perennial.leads.suppressed_addresses import lift_address, suppress_address, suppressed_addresses
from perennial.leads.suppression import WITHDRAWS
from perennial.platform.database import Database
from perennial.platform.secrets import Secrets

BATCH = 500
_ATTEMPTS = 3
_IMPORTED = frozenset(get_args(ImportedReason))


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How many rows were read and what became of them; read = added + changed + unchanged + rejected.

    `suppressed` counts the rows that suppress their lead for any reason, `opted_out` those that do by opt-out or
    complaint; a row that is left out may do so too. `now_suppressed` are the ids of leads who were here before and are
    suppressed by this import.
    """

    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    opted_out: int = 0
    suppressed: int = 0
    now_suppressed: tuple[str, ...] = ()


async def import_leads(
    database: Database,
    records: Iterable[LeadRecord | Reject],
    *,
    at: datetime,
    dry_run: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
    on_reject: Callable[[Reject], None] = lambda _: None,
    model: ScoringModel = DEFAULT_MODEL,
    secrets: Secrets | None = None,
    on_suppressed: Callable[[AsyncSession, Sequence[str]], Awaitable[None]] | None = None,
) -> ImportReport:
    """Add or change the leads of `records` as of `at`, and say what happened; a dry run writes nothing.

    `on_progress` gets the number of rows done after each batch is committed, `on_reject` each row that is left
    out. Errors of the database pass through; the batches before it are committed and the next run goes on.
    `on_suppressed` is called in the transaction that suppresses leads who were here before, with their ids.
    `secrets` are the installation's: they key the hashes of suppressed addresses. Only a new installation, which has
    none yet, does without.
    """
    report = ImportReport()
    earlier = EarlierRows()
    rows = iter(records)
    while batch := list(islice(rows, BATCH)):
        for attempt in range(1, _ATTEMPTS + 1):
            changes = Changes(at, model, earlier)
            try:
                if dry_run:
                    async with database.reading() as session:
                        await changes.work_out(session, await _with_rejects(session, batch, secrets))
                else:
                    async with database.writing() as session:
                        await changes.work_out(session, await _with_rejects(session, batch, secrets), lock=True)
                        await changes.write(session)
                        if secrets is not None:
                            await _keep_addresses(session, secrets, changes, batch)
                        if on_suppressed is not None and changes.now_suppressed:
                            await on_suppressed(session, changes.now_suppressed)
                break
            except exc.IntegrityError:
                # Someone else added one of these leads since we looked; look again.
                if attempt == _ATTEMPTS:
                    raise
        earlier.add(changes)
        for reject in changes.rejects:
            on_reject(reject)
        report = _plus(report, changes, batch)
        on_progress(report.read)
    return report


async def _with_rejects(
    session: AsyncSession, batch: list[LeadRecord | Reject], secrets: Secrets | None
) -> list[LeadRecord | Reject]:
    """The batch, with the rows rejected whose addresses must not become a lead's.

    Not a row that opts its lead out as an earlier import did whose row was left out: the lead is then never mailed.
    """
    if secrets is None:
        return batch
    keys = [each.email_key for each in batch if isinstance(each, LeadRecord)]
    found = await suppressed_addresses(session, secrets, keys)
    return [
        each.rejected(f"this address is never to be a lead's: {found[each.email_key]}")
        if isinstance(each, LeadRecord)
        and each.email_key in found
        and not (each.suppress and found[each.email_key] in _IMPORTED)
        else each
        for each in batch
    ]


async def _keep_addresses(
    session: AsyncSession, secrets: Secrets, changes: Changes, batch: list[LeadRecord | Reject]
) -> None:
    """Suppress addresses of nobody we know that left-out rows forbid; free those whose suppressed lead is new."""
    for key, reason in changes.strangers.items():
        await suppress_address(session, secrets, key, reason, changes.at)
    refused = {reject.row for reject in changes.rejects}
    never = [
        each.email_key for each in batch if isinstance(each, LeadRecord) and each.suppress and each.row not in refused
    ]
    for key, reason in (await suppressed_addresses(session, secrets, never)).items():
        if reason in _IMPORTED:
            await lift_address(session, secrets, key)


def _plus(report: ImportReport, changes: Changes, batch: list[LeadRecord | Reject]) -> ImportReport:
    refused = {reject.row for reject in changes.rejects}
    taken = [record for record in batch if isinstance(record, LeadRecord) and record.row not in refused]
    said = [record.suppress for record in taken]
    said += [reject.never_mail.reasons for reject in changes.rejects if reject.never_mail is not None]
    return replace(
        report,
        read=report.read + len(batch),
        added=report.added + len(changes.added),
        changed=report.changed + len(changes.changed),
        unchanged=report.unchanged + len(taken) - len(changes.added) - len(changes.changed),
        rejected=report.rejected + len(changes.rejects),
        opted_out=report.opted_out + sum(1 for reasons in said if WITHDRAWS & set(reasons)),
        suppressed=report.suppressed + sum(1 for reasons in said if reasons),
        now_suppressed=(*report.now_suppressed, *changes.now_suppressed),
    )
