"""Importing leads: what goes in, that a second time changes nothing, and that an opt-out is never lifted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from models.base import Base
from models.leads import BehaviourRow, Consent, LeadRow, ScoreEntry, Suppression
from nurture.people.scoring import DEFAULT_MODEL
from perennial.journeys.story import story_of
from perennial.leads.identity import new_lead_id
from perennial.leads.importing.importer import BATCH, ImportReport, import_leads
from perennial.leads.importing.leads_file import ImportedBehaviour, LeadRecord, Reject, read_leads
from perennial.leads.importing.mapping import LeadMapping, read_mapping
from perennial.platform.database import Database
from tests.paths import SAMPLE
from tests.search import examples

T = TypeVar("T", bound=Base)
NOW = datetime(2026, 9, 2, 8, tzinfo=UTC)
LATER = NOW + timedelta(days=40)
TABLES: tuple[type[Base], ...] = (LeadRow, Consent, Suppression, BehaviourRow, ScoreEntry)
ANN = LeadRecord(
    row=2,
    values=("1", "Ann@northwind.example"),
    email="Ann@northwind.example",
    email_key="ann@northwind.example",
    external_id="1",
    first_name="Ann",
    last_name=None,
    company=None,
    country="DE",
    time_zone="Europe/Berlin",
    default_time_zone="UTC",
    traits={"seniority": "vp"},
    segment={"Audience": "new"},
    source="test",
    basis="consent",
    suppress=(),
    behaviours=(),
)
BOB = replace(
    ANN, row=3, values=("2",), email="bob@northwind.example", email_key="bob@northwind.example", external_id="2"
)
CLICK = ImportedBehaviour("email.clicked", "news", None, timedelta(days=30))


NO_MAIL = LeadMapping.model_validate(
    {
        "source": "test",
        "basis": "consent",
        "lead": {"external_id": "Id", "email": "Mail", "country": "Land"},
        "suppress": [{"reason": "opt-out", "column": "No mail", "values": ["yes"], "harmless": ["no"]}],
    }
)


async def brought(
    database: Database, *records: LeadRecord | Reject, at: datetime = NOW, dry_run: bool = False
) -> ImportReport:
    return await import_leads(database, records, at=at, dry_run=dry_run)


async def refused(database: Database, records: Iterable[LeadRecord | Reject]) -> list[tuple[int, str]]:
    rejects: list[Reject] = []
    await import_leads(database, records, at=NOW, on_reject=rejects.append)
    return [(reject.row, reject.reason) for reject in rejects]


async def rows(database: Database, table: type[T]) -> list[T]:
    async with database.reading() as session:
        return list((await session.scalars(select(table))).all())


async def contents(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the tables an import writes."""
    async with database.reading() as session:
        return {
            table.__tablename__: sorted(
                (tuple(row) for row in await session.execute(select(*table.__table__.columns))), key=repr
            )
            for table in TABLES
        }


async def lead(database: Database, external_id: str = "1") -> LeadRow:
    async with database.reading() as session:
        return (await session.scalars(select(LeadRow).where(LeadRow.external_id == external_id))).one()


async def test_the_sample_goes_in_once_and_a_second_import_changes_nothing(database: Database) -> None:
    """300 leads and three rejects; six weeks later not a byte differs."""
    mapping = read_mapping(SAMPLE / "mapping.toml")
    first = await import_leads(database, read_leads(SAMPLE / "leads.csv", mapping), at=NOW)
    before = await contents(database)
    again = await import_leads(database, read_leads(SAMPLE / "leads.csv", mapping), at=LATER)
    assert (first.read, first.added, first.changed, first.unchanged, first.rejected) == (303, 300, 0, 0, 3)
    assert (again.read, again.added, again.changed, again.unchanged, again.rejected) == (303, 0, 0, 300, 3)
    assert first.opted_out == again.opted_out == len(before["suppressions"]) > 0
    assert again.now_suppressed == ()
    assert await contents(database) == before


async def test_a_dry_run_says_what_the_import_then_does_and_writes_nothing(database: Database) -> None:
    """Over more than one batch, with additions, changes and rejects."""
    await brought(database, ANN, BOB)
    many = [
        replace(ANN, row=row, email=f"l{row}@n.example", email_key=f"l{row}@n.example", external_id=f"x{row}")
        for row in range(4, BATCH + 50)
    ]
    moved = replace(ANN, email="ann@new.example", email_key="ann@new.example")
    heir = replace(ANN, row=BATCH + 60, external_id="heir")
    records: list[LeadRecord | Reject] = [
        moved,
        replace(BOB, external_id="9"),
        *many,
        Reject(BATCH + 55, "bad", ()),
        heir,
    ]
    before = await contents(database)
    told = await brought(database, *records, dry_run=True)
    assert await contents(database) == before
    assert told == await brought(database, *records)
    assert (told.added, told.changed, told.unchanged, told.rejected) == (len(many) + 1, 1, 0, 2)


async def test_a_new_lead_has_an_opaque_id_a_consent_and_a_fit_score(database: Database) -> None:
    """The id carries nothing of the person, because it goes to the engine."""
    await brought(database, ANN)
    ann = await lead(database)
    assert re.fullmatch("ld[a-z2-7]{20}", ann.id)
    assert (ann.email, ann.email_key, ann.first_name) == (ANN.email, ANN.email_key, "Ann")
    assert (ann.country, ann.time_zone, ann.created_at) == ("DE", "Europe/Berlin", NOW)
    assert (ann.score, ann.stage, ann.band) == (10, "awareness", "cold")
    (entry,) = await rows(database, ScoreEntry)
    assert (entry.rule, entry.points, entry.behaviour_id, entry.at) == ("decides", 10, "", NOW)
    (consent,) = await rows(database, Consent)
    assert (consent.action, consent.basis, consent.source) == ("granted", "consent", "import:test")
    assert await rows(database, Suppression) == []


async def test_a_lead_without_a_zone_gets_the_default_and_a_later_one_stays(database: Database) -> None:
    """The default fills a gap; it must not replace what is known."""
    nowhere = replace(ANN, time_zone=None, default_time_zone="Asia/Kolkata")
    await brought(database, nowhere)
    assert (await lead(database)).time_zone == "Asia/Kolkata"
    await brought(database, ANN)
    report = await brought(database, nowhere)
    assert (report.unchanged, (await lead(database)).time_zone) == (1, "Europe/Berlin")


async def test_an_opt_out_in_the_file_suppresses_and_withdraws(database: Database) -> None:
    """The lead is kept, so that a later list cannot add it as new."""
    report = await brought(database, replace(ANN, suppress=("opt-out",)))
    assert (report.added, report.opted_out, report.now_suppressed) == (1, 1, ())
    (suppression,) = await rows(database, Suppression)
    assert (suppression.reason, suppression.source, suppression.at) == ("opt-out", "import", NOW)
    (consent,) = await rows(database, Consent)
    assert consent.action == "withdrawn"


async def test_a_bounce_suppresses_and_withdraws_nothing(database: Database) -> None:
    """A full mailbox is no change of mind; a complaint is."""
    await brought(database, replace(ANN, suppress=("hard-bounce",)), replace(BOB, suppress=("complaint",)))
    assert sorted(row.reason for row in await rows(database, Suppression)) == ["complaint", "hard-bounce"]
    actions = {row.lead_id: row.action for row in await rows(database, Consent)}
    assert actions[(await lead(database, "1")).id] == "granted"
    assert actions[(await lead(database, "2")).id] == "withdrawn"


async def test_a_lead_who_opts_out_later_is_named_once_and_never_opted_in_by_a_file(
    database: Database,
) -> None:
    """An older list still says "No"; it must not open the gate again."""
    await brought(database, ANN)
    ann = await lead(database)
    out = await brought(database, replace(ANN, suppress=("opt-out",)), at=LATER)
    assert (out.changed, out.now_suppressed) == (1, (ann.id,))
    assert (await brought(database, replace(ANN, suppress=("opt-out",)), at=LATER)).unchanged == 1
    assert (await brought(database, ANN, at=LATER)).unchanged == 1
    assert [row.action for row in await rows(database, Consent)] == ["granted", "withdrawn"]
    assert len(await rows(database, Suppression)) == 1


async def test_a_lead_who_withdrew_elsewhere_is_not_granted_again(database: Database) -> None:
    """The ledger's last word is the lead's, not the list's."""
    await brought(database, ANN)
    ann = await lead(database)
    async with database.writing() as session:
        session.add(Consent(lead_id=ann.id, at=LATER, action="withdrawn", basis="consent", source="page"))
    assert (await brought(database, ANN, at=LATER)).unchanged == 1
    assert [row.action for row in await rows(database, Consent)] == ["granted", "withdrawn"]


async def test_what_the_file_gives_replaces_and_what_it_does_not_give_stays(database: Database) -> None:
    """A second list with fewer columns must not empty the first one's."""
    await brought(database, ANN)
    poorer = replace(ANN, first_name=None, company="Northwind", traits={"topic": "dashboards"}, segment={})
    assert (await brought(database, poorer)).changed == 1
    ann = await lead(database)
    assert (ann.first_name, ann.company) == ("Ann", "Northwind")
    assert ann.traits == {"seniority": "vp", "topic": "dashboards"}
    assert ann.segment == {"Audience": "new"}


async def test_changed_traits_are_scored_again_and_engagement_stays(database: Database) -> None:
    """A vice president who turns out a student loses the points for deciding, not those for a click."""
    await brought(database, replace(ANN, behaviours=(CLICK,)))
    assert (await lead(database)).score == 14
    await brought(database, replace(ANN, traits={"seniority": "analyst", "occupation": "student"}))
    assert sorted(row.rule for row in await rows(database, ScoreEntry)) == ["click", "studies"]
    assert (await lead(database)).score == 0
    await brought(database, replace(ANN, traits={"seniority": "manager", "occupation": "employed"}))
    assert (await lead(database)).score == 16


async def test_behaviour_from_the_file_counts_by_its_own_time_and_once(database: Database) -> None:
    """A click of thirty days ago has half its points, however often it is imported."""
    dated = ImportedBehaviour("email.clicked", "news", NOW - timedelta(days=60), timedelta(0))
    coming = ImportedBehaviour("page.viewed", "/", NOW + timedelta(days=1), timedelta(0))
    told = replace(ANN, traits={}, behaviours=(CLICK, dated, coming))
    await brought(database, told)
    assert (await brought(database, told, at=LATER)).unchanged == 1
    found = {(row.name, row.at, row.received_at) for row in await rows(database, BehaviourRow)}
    assert found == {
        ("email.clicked", NOW - timedelta(days=30), NOW),
        ("email.clicked", NOW - timedelta(days=60), NOW),
        ("page.viewed", NOW, NOW),
    }
    assert (await lead(database)).score == 8  # 8/2 + 8/4 + 2


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Europe/Berlin", "America/Los_Angeles", None])
async def test_a_deal_lost_on_a_day_is_told_as_that_day_of_the_leads(database: Database, zone: str | None) -> None:
    """Not with a clock's time, not as the day before, and not twice for a lead that moves."""
    lost = ImportedBehaviour("deal.lost", "", date(2026, 5, 2), timedelta(0))
    told = replace(ANN, time_zone=zone, behaviours=(lost,))
    await brought(database, told)
    await brought(database, replace(told, time_zone="Pacific/Honolulu"))
    async with database.reading() as session:
        story = await story_of(session, await lead(database), DEFAULT_MODEL, NOW)
    (line,) = (line for line in story.lines if line.kind == "behaviour")
    assert (line.day, line.at.astimezone(ZoneInfo(zone or "UTC")).date()) == (date(2026, 5, 2), date(2026, 5, 2))


async def test_a_day_that_has_not_come_counts_as_now(database: Database) -> None:
    """As a moment ahead of the import does."""
    told = ImportedBehaviour("deal.lost", "", date(2026, 9, 30), timedelta(0))
    await brought(database, replace(ANN, behaviours=(told,)))
    (row,) = await rows(database, BehaviourRow)
    assert (row.at, row.props) == (NOW, {})


async def test_a_lead_is_known_by_its_id_under_a_new_address(database: Database) -> None:
    """And the old address is free for someone else in the same file."""
    await brought(database, ANN)
    ann = await lead(database)
    moved = replace(ANN, email="ann@new.example", email_key="ann@new.example")
    report = await brought(database, moved, replace(BOB, email=ANN.email, email_key=ANN.email_key))
    assert (report.changed, report.added) == (1, 1)
    assert (await lead(database)).id == ann.id
    assert (await lead(database)).email == "ann@new.example"
    assert (await lead(database, "2")).email_key == ANN.email_key


async def test_a_lead_without_an_id_is_known_by_its_address_and_takes_one_on(database: Database) -> None:
    """A sign-up form comes before the CRM gives it an id."""
    await brought(database, replace(ANN, external_id=None))
    assert (await brought(database, ANN)).changed == 1
    assert len(await rows(database, LeadRow)) == 1
    assert (await lead(database)).email_key == ANN.email_key


async def test_rows_that_contradict_what_is_stored_are_rejected(database: Database) -> None:
    """Each with its row and reason; the good ones beside them go in."""
    await brought(database, ANN, BOB)
    other = replace(ANN, row=4, email="c@n.example", email_key="c@n.example", external_id="3")
    assert await refused(
        database,
        [
            replace(ANN, email=BOB.email, email_key=BOB.email_key),
            Reject(3, "bad", ()),
            other,
            replace(ANN, row=5, external_id="4"),
        ],
    ) == [
        (2, "the id is one lead's and the address another's"),
        (3, "bad"),
        (5, "the address belongs to a lead with another id"),
    ]
    assert len(await rows(database, LeadRow)) == 3


async def test_two_rows_about_one_lead_are_not_both_taken(database: Database) -> None:
    """By id and by its old address: whichever came last would win, and differ at each import."""
    await brought(database, ANN)
    by_address = replace(ANN, row=4, external_id=None)
    by_id = replace(ANN, row=5, email="a@new.example", email_key="a@new.example")
    assert await refused(database, [by_address, by_id]) == [(5, "the same lead as row 4")]


@pytest.mark.parametrize(
    "row",
    [
        "1,ann@northwind.example,Atlantis,yes",
        "2,ann@northwind.example,Germany,yes",
        "1,not an address,Germany,yes",
        ",ann@northwind.example,Germany,yes",
        "1,ann@northwind.example,Germany,yes,one more",
        "1,ann@northwind.example,Ger\0many,yes",
        "1,ann@northwind.example,Berlin, Germany,yes",
        "1,ann@northwind.example,yes",
        "Dr,1,ann@northwind.example,Germany,yes",
        "9, ANN@Northwind.EXAMPLE ,Atlantis, YES ",
        "9,Ann <ann@northwind.example>,Germany,yes",
        "9,mailto:ann@northwind.example,Germany,yes",
        "9,zoe@northwind.example; ann@northwind.example.,Germany,yes",
        "9,\u200bann@northwind.example,Atlantis,yes\ufeff",
        "9,ann@northwind.example,Atlantis,ｙｅｓ",
    ],
    ids=[
        "a country nobody knows",
        "another's id",
        "no address",
        "no id",
        "too many fields",
        "a NUL",
        "a comma before",
        "a field missing",
        "a comma first",
        "another case",
        "a name and an address",
        "a link",
        "two addresses",
        "unseen letters",
        "full-width letters",
    ],
)
async def test_what_a_row_that_is_left_out_says_against_mail_holds(
    database: Database, tmp_path: Path, row: str
) -> None:
    """For the lead that it names, by address or id."""
    await brought(database, ANN, BOB)
    ann = await lead(database)
    path = tmp_path / "leads.csv"
    path.write_text(f"Id,Mail,Land,No mail\n{row}\n", encoding="utf-8")
    report = await brought(database, *read_leads(path, NO_MAIL), at=LATER)
    assert (report.rejected, report.opted_out) == (1, 1)
    assert ann.id in report.now_suppressed
    assert {one.lead_id for one in await rows(database, Suppression)} >= {ann.id}
    assert [one.action for one in await rows(database, Consent) if one.lead_id == ann.id] == ["granted", "withdrawn"]


@pytest.mark.parametrize("first", ["1,ann@northwind.example,Germany,no", "1,ann@northwind.example,Atlantis,yes"])
async def test_of_two_rows_about_one_person_the_stricter_holds(database: Database, tmp_path: Path, first: str) -> None:
    """Whichever of them is left out, and for what: a duplicate, or a country that nobody knows."""
    path = tmp_path / "leads.csv"
    second = "1,ann@northwind.example,Germany," + ("yes" if first.endswith("no") else "no")
    path.write_text(f"Id,Mail,Land,No mail\n{first}\n{second}\n", encoding="utf-8")
    report = await brought(database, *read_leads(path, NO_MAIL))
    assert (report.added, report.rejected) == (1, 1)
    (suppression,) = await rows(database, Suppression)
    assert (suppression.lead_id, suppression.reason) == ((await lead(database)).id, "opt-out")
    assert [one.action for one in await rows(database, Consent)][-1] == "withdrawn"


async def test_an_opt_out_of_a_lead_that_was_merged_away_reaches_the_one_that_goes_on(database: Database) -> None:
    """The row is left out, as the lead is gone."""
    await brought(database, ANN, BOB)
    ann, bob = await lead(database), await lead(database, "2")
    async with database.writing() as session:
        await session.execute(update(LeadRow).where(LeadRow.id == ann.id).values(merged_into=bob.id))
    report = await brought(database, replace(ANN, suppress=("opt-out",)), at=LATER)
    assert (report.rejected, report.now_suppressed) == (1, (bob.id,))


async def test_an_erased_lead_is_not_brought_back(database: Database) -> None:
    """Erasure is the lead's right; a list that still has it does not undo that."""
    await brought(database, ANN)
    async with database.writing() as session:
        await session.execute(update(LeadRow).values(erased_at=NOW))
    ((row, reason),) = await refused(database, [ANN])
    assert row == 2
    assert "erased" in reason


async def test_progress_is_told_after_each_batch_and_an_error_keeps_the_batches_before(
    database: Database,
) -> None:
    """An import that stops half-way goes on where it was when it is run again."""
    records = [
        replace(ANN, row=row, email=f"l{row}@n.example", email_key=f"l{row}@n.example", external_id=f"x{row}")
        for row in range(2, BATCH + 12)
    ]
    # Two rows of one address reach the import only through a broken reader; the database refuses them.
    broken = [*records, replace(records[-1], row=BATCH + 12, external_id="other")]
    seen: list[int] = []
    with pytest.raises(IntegrityError):
        await import_leads(database, broken, at=NOW, on_progress=seen.append)
    assert seen == [BATCH]
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(LeadRow)) == BATCH
    report = await import_leads(database, records, at=NOW, on_progress=seen.append)
    assert (report.unchanged, report.added) == (BATCH, 10)
    assert seen == [BATCH, BATCH, BATCH + 10]


@given(count=st.integers(min_value=2, max_value=200))
@examples(5)
def test_ids_are_unlike_and_well_formed(count: int) -> None:
    """Law: as many ids as are asked for, all different."""
    ids = {new_lead_id() for _ in range(count)}
    assert len(ids) == count
    assert all(re.fullmatch("ld[a-z2-7]{20}", each) for each in ids)
