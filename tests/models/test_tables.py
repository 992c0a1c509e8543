"""What the tables promise, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import String, select, text
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from models.base import Base
from models.journeys import Alert, Enrolment, FactRow, HandOffRow
from models.leads import BehaviourRow, Consent, LeadRow, Suppression
from models.shared import ClockRow
from models.touches import Touch
from models.types import UtcDateTime
from perennial.platform.database import Database, upsert_ignore
from tests.builders import NOON, ada, count, enrolment, granted, person, store, touch, touch_values


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2026, 1, 1, 0, 0, tzinfo=timezone(timedelta(hours=14))),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
async def test_a_datetime_comes_back_as_the_same_instant_in_utc(database: Database, moment: datetime) -> None:
    """Any zone goes in, UTC comes out, to the microsecond."""
    async with database.writing() as session:
        session.add(ClockRow(id=1, real=moment, virtual=moment, speed=1.0))

    async with database.reading() as session:
        stored = await session.scalar(select(ClockRow.real))
    assert stored is not None
    assert stored == moment.astimezone(UTC)
    assert stored.tzinfo is UTC


async def test_datetimes_compare_in_the_database_whatever_their_zone(database: Database) -> None:
    """A bound in Tokyo's time selects by instant, although SQLite compares text."""
    async with database.writing() as session:
        session.add(ClockRow(id=1, real=NOON, virtual=NOON, speed=1.0))

    in_tokyo = NOON.astimezone(ZoneInfo("Asia/Tokyo"))
    async with database.reading() as session:
        assert await session.scalar(select(ClockRow.id).where(ClockRow.real <= in_tokyo)) == 1
        later = in_tokyo - timedelta(microseconds=1)
        assert await session.scalar(select(ClockRow.id).where(ClockRow.real <= later)) is None


async def test_a_naive_datetime_is_refused(database: Database) -> None:
    """Nobody knows which instant it means."""
    with pytest.raises(StatementError, match="without a time zone cannot be stored"):
        await store(database, ClockRow(id=1, real=NOON.replace(tzinfo=None), virtual=NOON, speed=1.0))


@given(
    moments=st.lists(
        st.datetimes(min_value=datetime(1900, 1, 2), max_value=datetime(2999, 12, 30), timezones=st.timezones()),  # noqa: DTZ001 - hypothesis adds the zones
        min_size=2,
        max_size=2,
    )
)
def test_what_sqlite_stores_sorts_as_the_instants_do(moments: list[datetime]) -> None:
    """Law: order in the database is order in time, and nothing is lost."""
    kind, dialect = UtcDateTime(), SQLiteDialect()
    first, second = (kind.process_bind_param(moment, dialect) for moment in moments)

    assert first is not None
    assert second is not None
    assert (first.isoformat(" ", "microseconds") < second.isoformat(" ", "microseconds")) == (
        moments[0].astimezone(UTC) < moments[1].astimezone(UTC)
    )
    assert kind.process_result_value(first, dialect) == moments[0].astimezone(UTC)


ONCE: list[Callable[[], list[Base]]] = [
    lambda: [touch("t1"), touch("t2")],
    lambda: [ada(lead_id=n, email_key="b@example.com") for n in ("l2", "l3")],
    lambda: [ada(lead_id=n, email_key=n, external_id="crm-7") for n in ("l2", "l3")],
    lambda: [enrolment(id=n, number=2) for n in ("a", "b")],
    lambda: [Suppression(lead_id="l1", reason="opt-out", source=s, at=NOON) for s in ("link", "import")],
    lambda: [
        HandOffRow(
            id=i, enrolment_id="new-lead/l1/1", lead_id="l1", step_key="k", to="sales", reason="r", score=1, at=NOON
        )
        for i in ("h1", "h2")
    ],
    lambda: [Alert(enrolment_id="new-lead/l1/1", lead_id="l1", step_key="k", text=t, at=NOON) for t in ("x", "y")],
    lambda: [FactRow(enrolment_id="new-lead/l1/1", seq=1, kind=k, at=NOON, fact={}) for k in ("sent", "exit")],
]


@pytest.mark.parametrize(
    "rows",
    ONCE,
    ids=["touch per step", "address", "external id", "stay", "suppression", "hand-off", "alert", "fact"],
)
async def test_what_may_exist_once_cannot_exist_twice(enrolled: Database, rows: Callable[[], list[Base]]) -> None:
    """A retried activity, a second worker, a second import: the database refuses the second row."""
    first, second = rows()
    await store(enrolled, first)
    with pytest.raises(IntegrityError):
        await store(enrolled, second)


async def test_the_same_step_may_be_sent_again_on_the_next_stay(enrolled: Database) -> None:
    """Touches are unique in an enrolment, and a lead may enter a track again."""
    async with enrolled.writing() as session:
        session.add(enrolment(number=2))
        session.add_all([touch("t1"), touch("t2", enrolment_id="new-lead/l1/2")])

    assert await count(enrolled, Touch) == 2


async def test_a_row_that_refers_to_nothing_is_refused(enrolled: Database) -> None:
    """Foreign keys are enforced on SQLite too, where they are off by default."""
    with pytest.raises(IntegrityError):
        async with enrolled.writing() as session:
            session.add(Consent(lead_id="nobody", at=NOON, action="granted", basis="consent", source="form"))

    assert await count(enrolled, Consent) == 0


async def test_rows_that_refer_to_each_other_go_in_in_any_order(database: Database) -> None:
    """Foreign keys are checked at commit, so no caller has to know the order of the tables."""
    async with database.writing() as session:
        await session.execute(upsert_ignore(Touch, touch_values("t1")))
        session.add(enrolment())
        await session.flush()
        session.add(ada())

    assert await count(database, Touch) == 1


async def test_defaults_and_json_come_back_as_they_went_in(database: Database) -> None:
    """Nested JSON, umlauts and an absent value survive; what is not given has its default."""
    traits = {"industry": "Bäckerei", "tools": ["crm", {"n": 1.5}], "none": None}
    async with database.writing() as session:
        session.add(ada(traits=traits))

    async with database.reading() as session:
        lead = (await session.scalars(select(LeadRow))).one()
    assert (lead.traits, lead.segment, lead.time_zone, lead.erased_at) == (traits, {}, "UTC", None)


def bounded() -> list[tuple[str, str, int]]:
    """Every column of identifiers, with how many characters it holds."""
    return [
        (table.name, column.name, column.type.length)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, String) and column.type.length
    ]


async def test_both_databases_bound_every_identifier_alike(database: Database) -> None:
    """SQLite by a CHECK: what a test on it lets through, PostgreSQL takes too."""
    async with database.reading() as session:
        if database.is_sqlite:
            made = dict((await session.execute(text("SELECT name, sql FROM sqlite_master"))).all())
            found = [each for each in bounded() if f'length("{each[1]}") <= {each[2]}' not in made[each[0]]]
        else:
            columns = "SELECT table_name, column_name, character_maximum_length FROM information_schema.columns"
            known = {tuple(row) for row in await session.execute(text(columns))}
            found = [each for each in bounded() if each not in known]
    assert found == []


async def test_an_identifier_that_is_too_long_is_refused_by_both(database: Database) -> None:
    """One character more than the column holds."""
    await store(database, person("l" * 32))
    with pytest.raises(DBAPIError):
        await store(database, person("m" * 33))


async def test_free_text_of_any_length_is_kept_by_both(database: Database) -> None:
    """A reason, an alert, the name of a step: no journey is stranded by a long word."""
    word = "wörd " * 60
    await store(
        database,
        ada(),
        enrolment(status="finished", cause=word, step=word, outcome=f"exited: {word}"),
        touch(step_key=word, piece=word, provider_id=word),
        Alert(enrolment_id="new-lead/l1/1", lead_id="l1", step_key=f"alert:{word}", text=word, at=NOON),
        BehaviourRow(id="b1", lead_id="l1", name="deal.lost", subject=word, at=NOON, received_at=NOON),
        granted(source=word, wording=word),
    )
    async with database.reading() as session:
        assert await session.scalar(select(Enrolment.outcome)) == f"exited: {word}"
