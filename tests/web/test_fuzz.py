"""Whatever is sent, nothing is a 5xx, and every answer is one that OpenAPI promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.search import examples
from tests.web.serving import Service, click, signed, standard

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
AWKWARD = st.sampled_from(["\0", "a\0b", "\ud800", "\udc00\ud800", "x" * 400])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | AWKWARD
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
NAMED = dict.fromkeys(("sg_event_id", "email", "timestamp", "url", "reason", "type", "perennial_touch_id"), JSON)
EVENTS = st.fixed_dictionaries(
    {"event": st.sampled_from(["click", "bounce", "unsubscribe", "dropped"]) | st.text(min_size=1)}, optional=NAMED
)
BOUNDED = settings(examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])

pytestmark = pytest.mark.hypothesis


@pytest.fixture(scope="session")
def operations(lasting: Service) -> dict[str, Any]:
    """Every operation of the service's own OpenAPI document."""
    document = schemathesis.openapi.from_url(f"{lasting.url}/openapi.json")
    return {f"{one.ok().method.upper()} {one.ok().path}": one.ok() for one in document.get_all_operations()}


OPERATIONS = (
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "POST /webhooks/sendgrid",
    "POST /webhooks/crm",
    "POST /v1/batch",
    *(f"POST /v1/{kind}" for kind in ("identify", "track", "page", "screen", "group", "alias")),
)


@dataclass
class Signs(AuthBase):
    """Signs a request as it is sent, by whichever scheme its path wants."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        headers = signed(body) if str(request.url).endswith("sendgrid") else standard(body)
        request.headers.update({name: value for name, value in headers.items() if name != "content-type"})
        return request


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        (name, mode)
        for name in OPERATIONS
        for mode in schemathesis.GenerationMode
        if name.startswith("POST") or mode is schemathesis.GenerationMode.POSITIVE  # a GET has nothing to get wrong
    ],
)
def test_what_the_schema_allows_and_what_it_forbids_is_answered_as_promised(
    lasting: Service, operations: dict[str, Any], name: str, mode: schemathesis.GenerationMode
) -> None:
    """With a key and a signature that fit, so that the request goes all the way in."""

    @BOUNDED
    @given(case=operations[name].as_strategy(generation_mode=mode))
    def holds(case: schemathesis.Case) -> None:
        if "/webhooks/" in name:
            case.call_and_validate(auth=Signs(), checks=CHECKS)
        else:
            case.call_and_validate(headers={"authorization": f"Bearer {lasting.keys['admin']}"}, checks=CHECKS)

    holds()


def test_every_operation_is_lasting(operations: dict[str, Any]) -> None:
    """A new route has to be added above."""
    assert {name for name in operations if "/m/" not in name} == set(OPERATIONS)


@BOUNDED
@given(batch=st.lists(EVENTS | JSON, max_size=20))
def test_any_json_is_stored_or_counted(lasting: Service, batch: list[Any]) -> None:
    """Neither database refuses what the service let through."""
    answer = lasting.sendgrid([*batch, click()])

    assert answer.status_code == 200
    assert answer.json()["events"] >= 1
    assert answer.json()["events"] + answer.json()["refused"] == len(batch) + 1
