"""Check who calls: an API key with the right scope, as the user name of Basic authentication or a Bearer token."""

import binascii
import time
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPBasic, HTTPBearer
from sqlalchemy import update

from models.access import ApiKey
from perennial.access.keys import ADMIN, find_key
from perennial.web.edge import Edge, edge_of
from perennial.web.errors import OUTAGES, RequestError

REMEMBERED_SECONDS = 5.0
"""How long a key counts without asking the database; a revoked one too."""

_REMEMBERED = 1_000
_MARK_EVERY = timedelta(minutes=5)
_CHALLENGE = 'Basic realm="perennial", charset="UTF-8"'
# For OpenAPI only; `_key_in` reads the header for both.
BASIC = HTTPBasic(auto_error=False, description="The API key as user name; the password stays empty.")
BEARER = HTTPBearer(auto_error=False, description="The API key.")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls: a key in force."""

    id: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Whether it has the scope; an admin's has every one."""
        return scope in self.scopes or ADMIN in self.scopes


@dataclass(slots=True)
class KeyCache:
    """The keys used lately, so that not each request asks the database."""

    monotonic: Callable[[], float] = time.monotonic
    _known: "OrderedDict[str, tuple[float, Caller]]" = field(default_factory=OrderedDict, repr=False)

    async def caller(self, edge: Edge, text: str) -> Caller | None:
        """The caller with this key; None if it is unknown or revoked. Raises what the database raises.

        While the database is away a remembered key still counts: nothing can be stored anyway, only metrics read.
        """
        now = self.monotonic()
        remembered = self._known.get(text)
        if remembered is not None and now - remembered[0] < REMEMBERED_SECONDS:
            return remembered[1]
        try:
            async with edge.database.reading() as session:
                key = await find_key(session, text)
        except OUTAGES:
            if remembered is None:
                raise
            return remembered[1]
        self._known.pop(text, None)
        if key is None:
            return None
        caller = Caller(key.id, frozenset(key.scopes))
        self._known[text] = (now, caller)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        await _mark_used(edge, key)
        return caller


class RequireScope:
    """A dependency: the caller, if its key has one of the scopes. Else 401 without a key, 403, or 429 past the rate.

    `Depends(RequireScope("marketing"))` guards a route; `Annotated[Caller, Depends(RequireScope(...))]` also gives the
    caller.
    """

    def __init__(self, *scopes: str) -> None:
        self.scopes = scopes

    async def __call__(
        self,
        request: Request,
        edge: Annotated[Edge, Depends(edge_of)],
        _basic: Annotated[Any, Depends(BASIC)] = None,
        _bearer: Annotated[Any, Depends(BEARER)] = None,
    ) -> Caller:
        """The caller of this request; raises RequestError."""
        return await self.admit(request, edge, _key_in(request.headers.get("authorization", "")))

    async def admit(self, request: Request, edge: Edge, text: str | None) -> Caller:
        """The caller with this key; raises RequestError."""
        if text is None:
            raise RequestError(
                401,
                "key_missing",
                "send an API key as the user name of Basic authentication, or as a Bearer token; "
                "the command `keys create` makes one",
                challenge=_CHALLENGE,
            )
        key_cache = request.app.state.key_cache
        assert isinstance(key_cache, KeyCache)
        caller = await key_cache.caller(edge, text)
        if caller is None:
            raise RequestError(401, "key_unknown", "this API key is not known, or was revoked", challenge=_CHALLENGE)
        edge.limits.take(caller.id)
        if not any(caller.may(scope) for scope in self.scopes):
            raise RequestError(403, "scope", f"this API key lacks the scope {' or '.join(self.scopes)}")
        return caller


def _key_in(header: str) -> str | None:
    scheme, _, rest = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip() or None
        case "basic":
            try:
                user, _, _ = b64decode(rest.strip(), validate=True).decode().partition(":")
            except (binascii.Error, ValueError):
                return None
            return user or None
        case _:
            return None


async def _mark_used(edge: Edge, key: ApiKey) -> None:
    now = edge.now()
    if key.last_used_at is None or now - key.last_used_at > _MARK_EVERY:
        async with edge.database.writing() as session:
            await session.execute(update(ApiKey).where(ApiKey.id == key.id).values(last_used_at=now))
