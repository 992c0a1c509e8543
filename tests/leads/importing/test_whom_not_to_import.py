"""Whom an import does not bring back."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import Consent, LeadRow, SuppressedAddress, Suppression
from perennial.leads.identity import Identities
from perennial.leads.importing.importer import import_leads
from perennial.leads.importing.leads_file import LeadRecord, Reject
from perennial.leads.suppressed_addresses import suppress_address
from perennial.platform.database import Database
from perennial.privacy.erase import ERASED, erase_rows
from perennial.privacy.merge import merge_rows
from tests.builders import NOON, SECRETS, does, person, rows, settle

ADA = LeadRecord(
    row=2,
    values=("ada@example.com",),
    email="Ada@example.com",
    email_key="ada@example.com",
    external_id=None,
    first_name="Ada",
    last_name=None,
    company=None,
    country=None,
    time_zone=None,
    default_time_zone="UTC",
    traits={},
    segment={},
    source="test",
    basis="consent",
    suppress=(),
    behaviours=(),
)
BO = replace(ADA, row=3, values=("bo@example.com",), email="bo@example.com", email_key="bo@example.com")


async def refused(database: Database, *, dry_run: bool = False) -> list[Reject]:
    """What an import of Ada and Bo leaves out."""
    rejects: list[Reject] = []
    report = await import_leads(
        database, (ADA, BO), at=NOON, dry_run=dry_run, on_reject=rejects.append, secrets=SECRETS
    )
    assert report.rejected == len(rejects)
    return rejects


async def test_an_erased_lead_stays_erased_whatever_file_names_its_address(database: Database) -> None:
    """Its row is known by the keyed hash of the address alone; the others go in."""
    await settle(database, person("ada"))
    await does(database, lambda session: erase_rows(session, "ada", NOON, secrets=SECRETS))

    for dry_run in (True, False):
        (reject,) = await refused(database, dry_run=dry_run)
        assert (reject.row, reject.values) == (2, ("ada@example.com",))
        assert reject.reason == f"this address is never to be a lead's: {ERASED}"
    assert [lead.email for lead in await rows(database, LeadRow)] == ["erased", "bo@example.com"]


async def test_an_address_that_was_suppressed_by_hand_makes_no_lead(database: Database) -> None:
    """A list of addresses never to write to works before there are leads."""
    await does(database, lambda session: suppress_address(session, SECRETS, "bo@example.com", "manual", NOON))

    (reject,) = await refused(database)

    assert (reject.row, reject.reason) == (3, "this address is never to be a lead's: manual")
    assert [lead.email for lead in await rows(database, LeadRow)] == ["Ada@example.com"]


async def test_a_lead_that_became_another_is_not_changed_any_more(database: Database) -> None:
    """The row names the lead that goes on."""
    await settle(database, person("ada"), person("bo"))
    await does(database, lambda session: merge_rows(session, "ada", "bo", at=NOON))

    (reject,) = await refused(database)

    assert (reject.row, reject.reason) == (3, "this lead was merged into ada; import that one")


async def test_an_opt_out_of_nobody_we_know_holds_when_its_row_is_left_out(database: Database) -> None:
    """A later list or form makes no lead of that address; the row once mended makes one that is never mailed."""
    reject = replace(BO, suppress=("opt-out",)).rejected("unknown Country 'Atlantis'")

    async def brought(*records: LeadRecord | Reject, dry_run: bool = False) -> tuple[int, int]:
        report = await import_leads(database, records, at=NOON, secrets=SECRETS, dry_run=dry_run)
        return report.added, report.rejected

    async def form(session: AsyncSession) -> str | None:
        said = {"consent": {"basis": "consent", "source": "form", "wording": "v1"}}
        return await Identities(SECRETS).resolve(session, email="BO@Example.com", traits=said, at=NOON)

    assert await brought(reject, dry_run=True) == (0, 1)
    assert await rows(database, SuppressedAddress) == []
    assert await brought(reject) == (0, 1)
    assert await brought(BO) == (0, 1)
    assert await does(database, form) is None

    assert await brought(replace(BO, suppress=("opt-out",))) == (1, 0)
    (bo,) = await rows(database, LeadRow)
    assert [(one.lead_id, one.reason) for one in await rows(database, Suppression)] == [(bo.id, "opt-out")]
    assert [one.action for one in await rows(database, Consent)] == ["withdrawn"]
    assert await brought(BO) == (0, 0)
    assert await does(database, form) == bo.id
    assert len(await rows(database, Suppression)) == 1


async def test_an_erased_lead_is_not_brought_back_by_its_own_opt_out(database: Database) -> None:
    """Erased is stricter."""
    await settle(database, person("ada"))
    await does(database, lambda session: erase_rows(session, "ada", NOON, secrets=SECRETS))
    report = await import_leads(database, [replace(ADA, suppress=("opt-out",))], at=NOON, secrets=SECRETS)
    assert (report.added, report.rejected) == (0, 1)
    assert [one.reason for one in await rows(database, SuppressedAddress)] == [ERASED]
