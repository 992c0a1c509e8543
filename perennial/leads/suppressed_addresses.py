"""Addresses that must never become a lead's: those of erased leads, and those that a person names.

Only a keyed hash of each is kept, so that an address of nobody we know is not stored.
"""

import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import SuppressedAddress
from perennial.platform.database import upsert_ignore
from perennial.platform.secrets import Secrets


def address_hash(secret: str, email_key: str) -> str:
    """The keyed hash (HMAC-SHA256, hex) of a normalised address: without the secret no list of addresses finds it."""
    return hmac.new(secret.encode(), f"perennial.address\n{email_key}".encode(), sha256).hexdigest()


async def suppress_address(session: AsyncSession, secrets: Secrets, email_key: str, reason: str, at: datetime) -> bool:
    """Never make a lead of this address; False if it was suppressed before."""
    if await suppressed_addresses(session, secrets, [email_key]):
        return False
    row = {"hash": address_hash(secrets.newest, email_key), "reason": reason, "at": at}
    return await session.scalar(upsert_ignore(SuppressedAddress, row).returning(SuppressedAddress.hash)) is not None


async def lift_address(session: AsyncSession, secrets: Secrets, email_key: str) -> bool:
    """Let this address be a lead's again; False if it was not suppressed."""
    hashes = [address_hash(secret, email_key) for secret in secrets.every]
    gone = delete(SuppressedAddress).where(SuppressedAddress.hash.in_(hashes))
    return (await session.scalars(gone.returning(SuppressedAddress.hash))).first() is not None


async def suppressed_addresses(session: AsyncSession, secrets: Secrets, email_keys: Iterable[str]) -> Mapping[str, str]:
    """Those of these normalised addresses that must not become a lead's, each with the reason."""
    by_hash = {address_hash(secret, key): key for key in email_keys for secret in secrets.every}
    if not by_hash or not await session.scalar(select(exists(select(SuppressedAddress.hash)))):
        return {}
    found = await session.execute(
        select(SuppressedAddress.hash, SuppressedAddress.reason).where(SuppressedAddress.hash.in_(by_hash))
    )
    return {by_hash[hash_]: reason for hash_, reason in found}
