"""Health, readiness and figures; and what is answered while the database is away."""

from __future__ import annotations

import asyncio
import re
import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.engine import make_url

from models.intake import Event
from models.journeys import Enrolment
from perennial.platform.migrations import downgrade
from tests.databases import command
from tests.web.serving import Service, click
from tests.web.stored import Store


def figures(service: Service) -> dict[str, float]:
    """Prometheus' figures by name and labels."""
    text = service.client.get("/metrics", auth=(service.keys["support"], "")).text
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)}


@contextmanager
def away(url: str, server_url: str) -> Iterator[None]:
    """The database is away: PostgreSQL takes no connection to it, and has ended those there were."""
    name = make_url(url).database
    asyncio.run(command(server_url, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false"))
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
    asyncio.run(command(server_url, f"{others} '{name}'"))
    try:
        yield
    finally:
        asyncio.run(command(server_url, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true"))


def test_temporal_may_be_away(service: Service, store: Store) -> None:
    """The service is ready all the same: the outbox keeps what comes in, and says how much that is."""
    service.temporal.up = False
    service.sendgrid([click(1), click(2)])

    answer = service.client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() | {"outbox_age_seconds": None} == {
        "database": "ok",
        "temporal": "absorbing",
        "outbox": 2,
        "outbox_age_seconds": None,
        "failed": 0,
    }
    service.temporal.up = True
    assert service.client.get("/readyz").json()["temporal"] == "ok"


async def _back_to(url: str, revision: str) -> None:
    await downgrade(url, revision)


def test_a_database_behind_on_migrations_is_not_ready(service: Service, store: Store) -> None:
    """A balancer sends nothing here until it is migrated, and what comes all the same is not lost: 503."""
    asyncio.run(_back_to(store.url, "base"))

    ready, taken = service.client.get("/readyz"), service.sendgrid([click()])

    assert (ready.status_code, taken.status_code) == (503, 503)
    assert ready.headers["retry-after"]
    assert taken.headers["retry-after"]
    assert service.client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("backend", ["postgresql"])
def test_a_database_that_is_away_gives_503_until_it_is_back(service: Service, store: Store, postgres_url: str) -> None:
    """Every route that needs it; nothing is stored, the process lives, and it recovers by itself."""
    assert service.segment("/v1/page", {"userId": "u"}).status_code == 200
    assert figures(service)["perennial_database_up"] == 1
    with away(store.url, postgres_url):
        for answer in (
            service.sendgrid([click()]),
            service.crm({"type": "deal.won", "data": {"lead": "l1"}}),
            service.segment("/v1/page", {"userId": "u"}),
            service.client.get("/readyz"),
        ):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert set(answer.json()) == {"code", "message"}
        assert service.client.get("/healthz").status_code == 200
        assert figures(service)["perennial_database_up"] == 0

    assert service.sendgrid([click()]).status_code == 200
    assert [event.source for event in store.events()] == ["segment", "sendgrid"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_file_that_another_program_holds_gives_503(service: Service, store: Store) -> None:
    """After SQLite's ten seconds of patience; and once it lets go, all is well."""
    holder = sqlite3.connect(str(make_url(store.url).database), isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        assert service.sendgrid([click()]).status_code == 503
        holder.execute("ROLLBACK")
    finally:
        holder.close()

    assert service.sendgrid([click()]).status_code == 200


def test_the_figures_tell_new_events_from_known_and_refused_ones(service: Service, store: Store) -> None:
    """By source; and requests by route, never by path."""
    service.sendgrid([click(1), click(2), 7])
    service.sendgrid([click(1)])
    service.segment("/v1/track", {"userId": "u"})
    service.client.get("/secret/token/path")

    found = figures(service)

    assert found['perennial_events_total{fate="new",source="sendgrid"}'] == 2
    assert found['perennial_events_total{fate="known",source="sendgrid"}'] == 1
    assert found['perennial_events_total{fate="refused",source="sendgrid"}'] == 1
    assert found['perennial_events_total{fate="refused",source="segment"}'] == 1
    assert found['perennial_requests_total{method="POST",route="/webhooks/sendgrid",status="200"}'] == 2
    assert found['perennial_requests_total{method="any",route="unmatched",status="404"}'] == 1
    assert found["perennial_outbox_events"] == 2
    assert found["perennial_outbox_age_seconds"] >= 0
    assert (found["perennial_database_up"], found["perennial_temporal_up"]) == (1, 1)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_file_that_another_program_locks_is_not_ready(service: Service, store: Store) -> None:
    """It can be read; nothing can be stored, and the answer says why."""
    holder = sqlite3.connect(str(make_url(store.url).database), isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        answer = service.client.get("/readyz")
    finally:
        holder.close()
    assert (answer.status_code, "locked by another program" in answer.json()["message"]) == (503, True)
    assert service.client.get("/readyz").status_code == 200


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_full_disk_is_not_ready(service: Service, store: Store) -> None:
    """The disk takes no byte more: what this process may write to a file is bounded, as a disk is."""
    path = Path(str(make_url(store.url).database))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(f"{path.name}-wal").stat().st_size, before[1]))
    try:
        answer = service.client.get("/readyz")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)
    assert (answer.status_code, "the disk is full" in answer.json()["message"]) == (503, True)
    assert service.client.get("/readyz").status_code == 200


@pytest.mark.parametrize("backend", ["postgresql"])
def test_a_standby_server_is_not_ready(service: Service, store: Store, postgres_url: str) -> None:
    """It answers, and takes no write."""
    name = make_url(store.url).database
    asyncio.run(command(postgres_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    with away(store.url, postgres_url):
        pass
    answer = service.client.get("/readyz")
    asyncio.run(command(postgres_url, f"ALTER DATABASE {name} RESET default_transaction_read_only"))
    assert (answer.status_code, "read-only" in answer.json()["message"]) == (503, True)


def test_events_that_could_not_be_passed_on_are_told_without_making_the_service_unready(
    service: Service, store: Store
) -> None:
    """It can take events; a person has to look at those."""
    service.sendgrid([click(1), click(2)])
    store.run(lambda session: session.execute(update(Event).where(Event.id == 1).values(state="failed")))
    answer = service.client.get("/readyz")
    assert (answer.status_code, answer.json()["failed"], answer.json()["outbox"]) == (200, 1, 1)
    assert figures(service)["perennial_failed_events"] == 1


def test_the_figures_count_held_leads_by_track(service: Service, store: Store) -> None:
    """None for a track once the last of its leads is on its way again."""
    store.run(lambda session: session.execute(update(Enrolment).values(status="held")))
    assert figures(service)['perennial_held_journeys{track="new-lead"}'] >= 1
    store.run(lambda session: session.execute(update(Enrolment).values(status="active")))
    assert 'perennial_held_journeys{track="new-lead"}' not in figures(service)


def test_the_figures_count_stuck_journeys_by_track(service: Service, store: Store) -> None:
    """None for a track once the last of them goes on."""
    store.run(lambda session: session.execute(update(Enrolment).values(stuck_since=datetime.now(UTC))))
    assert figures(service)['perennial_stuck_journeys{track="new-lead"}'] >= 1
    store.run(lambda session: session.execute(update(Enrolment).values(stuck_since=None)))
    assert 'perennial_stuck_journeys{track="new-lead"}' not in figures(service)


@pytest.mark.usefixtures("nothing_stored")
def test_an_unknown_path_or_method_is_answered_in_the_same_shape(lasting: Service) -> None:
    """No page of HTML, no trace."""
    assert lasting.client.get("/nowhere").json() == {"code": "not_found", "message": "Not Found"}
    assert lasting.client.delete("/webhooks/crm").json() == {
        "code": "method_not_allowed",
        "message": "Method Not Allowed",
    }
