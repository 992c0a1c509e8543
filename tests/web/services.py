"""A web service over each database, and what it has stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import ada, enrolment, touch
from tests.databases import new_database
from tests.web.serving import Service, serving
from tests.web.stored import Store


@pytest.fixture
def store(migrated_url: str) -> Store:
    """The service's database; Ada is on new-lead, and touch t1 went to her."""
    store = Store(migrated_url)
    store.add(ada(external_id="crm-7"), enrolment(), touch("t1"))
    return store


@pytest.fixture
def service(migrated_url: str, store: Store) -> Iterator[Service]:
    """A web service over that database."""
    with serving(migrated_url) as service:
        yield service


@pytest.fixture(params=["sqlite", "postgresql"], scope="session")
def lasting_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[str]:
    """A migrated database for many tests."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("lasting") / "perennial.db"
        path.write_bytes(sqlite_template.read_bytes())
        yield f"sqlite+aiosqlite:///{path}"
        return
    template = request.getfixturevalue("postgres_template")
    yield from new_database(request.getfixturevalue("postgres_url"), f"TEMPLATE {template}")


@pytest.fixture(scope="session")
def lasting_store(lasting_url: str) -> Store:
    """What is stored there; Ada is on new-lead, and touch t1 went to her."""
    store = Store(lasting_url)
    store.add(ada(external_id="crm-7"), enrolment(), touch("t1"))
    return store


@pytest.fixture(scope="session")
def lasting(lasting_url: str, lasting_store: Store) -> Iterator[Service]:
    """A web service for tests that store nothing, or do not care what else is stored."""
    with serving(lasting_url) as service:
        yield service


@pytest.fixture
def nothing_stored(lasting_store: Store) -> Iterator[None]:
    """The test that uses this stores no event."""
    before = len(lasting_store.events())
    yield
    assert len(lasting_store.events()) == before
