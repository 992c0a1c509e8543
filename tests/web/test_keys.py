"""Who may call, and how often."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.access import ApiKey
from nurture.errors import InputError, NotFoundError, RefusedError
from nurture.timing.clock import Clock
from perennial.access.keys import SCOPES, create_key, find_key, hash_of, list_keys, revoke_key
from perennial.platform.database import Database
from perennial.platform.settings import Settings
from perennial.web.edge import Edge
from perennial.web.errors import RequestError
from perennial.web.keys import Caller, KeyCache
from perennial.web.limits import Limits
from tests.builders import NOON
from tests.web.serving import Service, Switch, serving
from tests.web.stored import Store

PAGE = {"anonymousId": "a-7"}


async def test_only_the_hash_of_a_key_is_stored(database: Database) -> None:
    """Who reads the database cannot call in a key's name."""
    async with database.writing() as session:
        key = await create_key(session, "website", ["ingest", "support"], NOON)
    async with database.reading() as session:
        (row,) = await list_keys(session)
        assert key.text not in {value for value in vars(row).values() if isinstance(value, str)}
        assert row.hash == hash_of(key.text)
        assert await find_key(session, key.text) is row
        assert await find_key(session, row.hash) is None
    assert key.scopes == ("ingest", "support")


async def test_a_revoked_key_is_found_no_more_and_stays_listed(database: Database) -> None:
    """By id or by name; a second time changes nothing, and the name is free again."""
    async with database.writing() as session:
        key = await create_key(session, "website", ["ingest"], NOON)
    async with database.writing() as session:
        first = (await revoke_key(session, "website", NOON)).revoked_at
        assert (await revoke_key(session, key.id, NOON.replace(year=2027))).revoked_at == first
    async with database.writing() as session:
        assert await find_key(session, key.text) is None
        await create_key(session, "website", ["ingest"], NOON)
        assert len(await list_keys(session)) == 2


@pytest.mark.parametrize(
    ("name", "scopes", "error", "said"),
    [
        ("", ["ingest"], InputError, "1 to 64 characters"),
        ("x" * 65, ["ingest"], InputError, "1 to 64 characters"),
        ("website", [], InputError, "needs a scope"),
        ("website", ["root"], InputError, "ingest, marketing, support, admin"),
        ("taken", ["ingest"], RefusedError, "already"),
    ],
)
async def test_a_key_that_cannot_be_made_says_why(
    database: Database, name: str, scopes: list[str], error: type[Exception], said: str
) -> None:
    """Names are unique among the keys in force, scopes are four."""
    async with database.writing() as session:
        await create_key(session, "taken", ["ingest"], NOON)
        with pytest.raises(error, match=said):
            await create_key(session, name, scopes, NOON)
        with pytest.raises(NotFoundError, match="keys list"):
            await revoke_key(session, "nobody", NOON)


def test_a_key_is_a_user_name_or_a_bearer(service: Service, store: Store) -> None:
    """Segment's libraries send the first, most other programs the second."""
    key = service.keys["ingest"]

    assert service.client.post("/v1/page", json=PAGE, auth=(key, "")).status_code == 200
    assert service.client.post("/v1/page", json=PAGE, headers={"authorization": f"bearer {key}"}).status_code == 200
    assert len(store.events()) == 2


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Basic Og==",
        "Basic /w==",
        "Bearer prn_unknown",
        "Digest x",
        "Basic cHJuX3Vua25vd246",
    ],
)
def test_without_a_known_key_nothing_is_taken(lasting: Service, header: str | None) -> None:
    """401, a challenge, and the remedy; before the body is read."""
    headers = {} if header is None else {"authorization": header}

    answer = lasting.client.post("/v1/page", content=b"not even JSON", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert {"code", "message"} == set(answer.json())


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_does_what_its_scope_says_and_an_admins_everything(service: Service, store: Store, scope: str) -> None:
    """A website's key, public as it is, reads no figures."""
    auth = (service.keys[scope], "")

    assert service.client.post("/v1/page", json=PAGE, auth=auth).status_code == (
        200 if scope in {"browser", "ingest", "admin"} else 403
    )
    assert service.client.get("/metrics", auth=auth).status_code == (200 if scope in {"support", "admin"} else 403)


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track", "/metrics"])
def test_every_route_but_health_and_the_signed_ones_needs_a_key(lasting: Service, path: str) -> None:
    """Those that need none are named here; a new route is refused by this test until it is thought about."""
    open_to_all = {"/healthz", "/readyz", "/webhooks/sendgrid", "/webhooks/crm"}
    paths: dict[str, Any] = lasting.client.get("/openapi.json").json()["paths"]

    unprotected = {name for name, verbs in paths.items() for verb in verbs.values() if "security" not in verb}

    assert path in paths
    assert {name for name in unprotected if not name.startswith("/m/")} == open_to_all


def test_when_a_key_was_last_used_is_kept(service: Service, store: Store) -> None:
    """So that one nobody uses can be revoked."""
    service.segment("/v1/page", PAGE)

    async def used(session: AsyncSession) -> set[str]:
        return {row.scopes[0] for row in await session.scalars(select(ApiKey)) if row.last_used_at}

    assert store.run(used) == {"ingest"}


async def test_a_revoked_key_is_refused_within_five_seconds(database: Database) -> None:
    """What `keys revoke` promises; until then the key may be remembered."""
    now = 0.0
    key_cache = KeyCache(monotonic=lambda: now)
    edge = Edge(Settings(), database, Clock.production(), Switch(), Limits(1))
    async with database.writing() as session:
        key = await create_key(session, "website", ["ingest"], NOON)
    assert await key_cache.caller(edge, key.text) == Caller(key.id, frozenset({"ingest"}))

    async with database.writing() as session:
        await revoke_key(session, "website", NOON)
    now = 5.0

    assert await key_cache.caller(edge, key.text) is None
    assert await key_cache.caller(edge, key.text) is None


def test_a_key_may_call_so_often_and_no_oftener() -> None:
    """Two seconds' worth at once, then one each time a token has grown; each key for itself."""
    now = 0.0
    limits = Limits(rate=10, monotonic=lambda: now)

    for _ in range(20):
        limits.take("website")
    with pytest.raises(RequestError) as refused:
        limits.take("website")
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
    limits.take("crm")
    now = 0.1
    limits.take("website")
    with pytest.raises(RequestError):
        limits.take("website")
    now = 1_000.0
    for _ in range(20):
        limits.take("website")


def test_a_caller_past_its_rate_is_told_when_to_come_back(migrated_url: str, store: Store) -> None:
    """Over HTTP: 429 and Retry-After, and nothing stored."""
    with serving(migrated_url, rate_limit=0.5) as service:
        answers = [service.segment("/v1/page", PAGE) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert int(answers[1].headers["retry-after"]) >= 1
    assert len(store.events()) == 1
