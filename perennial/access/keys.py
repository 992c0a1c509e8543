"""API keys of the web service: make, find, list and revoke them. Only a key's hash is stored.

Plain SHA-256 is right for a key, as it is not for a password: a key is 256 random bits, so nobody can try likely ones,
and a slow hash would only let callers with wrong keys burn our processor.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.access import ApiKey
from nurture.errors import InputError, NotFoundError, RefusedError
from perennial.platform.program import command

SCOPES = ("browser", "ingest", "marketing", "support", "admin")
ADMIN = "admin"
BROWSER = "browser"
"""The scope of a key that stands in a page, for everybody to read: it reports, and nobody is mailed by its word."""

PREFIX = "prn_"  # lets scanners of repositories recognise a leaked key
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as its owner gets it, once: `text` cannot be read again."""

    id: str
    name: str
    scopes: tuple[str, ...]
    text: str


def hash_of(text: str) -> str:
    """The hash that is stored of a key: hex SHA-256."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


async def create_key(session: AsyncSession, name: str, scopes: Iterable[str], at: datetime) -> NewKey:
    """Make a key. Raises InputError for an unknown scope, RefusedError if a key in force has the name."""
    name, wanted = name.strip(), set(scopes)
    if not 0 < len(name) <= _LONGEST_NAME:
        raise InputError(f"a key's name has 1 to {_LONGEST_NAME} characters, and says who uses the key")
    if unknown := sorted(wanted - set(SCOPES)):
        raise InputError(f"unknown scope {unknown[0]!r}; the scopes are {', '.join(SCOPES)}")
    if not wanted:
        raise InputError(f"a key needs a scope; the scopes are {', '.join(SCOPES)}")
    if await session.scalar(select(ApiKey.id).where(ApiKey.name == name, ApiKey.revoked_at.is_(None))):
        raise RefusedError(f"there is a key {name!r} already; revoke it first, or choose another name")
    key = NewKey(
        id=secrets.token_hex(4),
        name=name,
        scopes=tuple(scope for scope in SCOPES if scope in wanted),
        text=PREFIX + secrets.token_urlsafe(32),
    )
    session.add(ApiKey(id=key.id, hash=hash_of(key.text), name=name, scopes=list(key.scopes), created_at=at))
    return key


async def list_keys(session: AsyncSession) -> Sequence[ApiKey]:
    """List every key, revoked ones too, oldest first."""
    return (await session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.id))).all()


async def revoke_key(session: AsyncSession, name: str, at: datetime) -> ApiKey:
    """Revoke the key with this id or name; leave one revoked before as it is. Raises NotFoundError."""
    named = select(ApiKey).where(or_(ApiKey.id == name, ApiKey.name == name))
    key = await session.scalar(named.order_by(ApiKey.revoked_at.is_not(None), ApiKey.created_at.desc()).limit(1))
    if key is None:
        raise NotFoundError(f"no key {name!r}; `{command('keys list')}` shows them")
    key.revoked_at = key.revoked_at or at
    return key


async def find_key(session: AsyncSession, text: str) -> ApiKey | None:
    """Find the key in force with this text."""
    return await session.scalar(select(ApiKey).where(ApiKey.hash == hash_of(text), ApiKey.revoked_at.is_(None)))
