"""A web service over each database, and what it has stored."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.tables import Touch
from tests.db.rows import ada, enrolment, touch
from tests.web.serving import Service, serving
from tests.web.stored import Store


@pytest.fixture
def store(migrated_url: str) -> Store:
    """The service's database; Ada is on new-lead, and touch t1 went to her."""
    store = Store(migrated_url)
    store.add(ada(external_id="crm-7"), enrolment(), Touch(**touch("t1")))
    return store


@pytest.fixture
def service(migrated_url: str, store: Store) -> Iterator[Service]:
    """A web service over that database."""
    with serving(migrated_url) as service:
        yield service
