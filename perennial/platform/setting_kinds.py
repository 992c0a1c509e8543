"""The kinds of value that a setting can have: each reads what was typed, and says what is wrong with it."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import AfterValidator, BeforeValidator, validate_email
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from perennial.platform.paths import package_folder

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
# SendGrid refuses a name with a comma or a semicolon; a line break would let a name write headers.
_UNSAFE_IN_NAME = re.compile(r"[,;\x00-\x1f\x7f]")

_SEPARATORS = re.compile(r"[\s,]+")
_SHORTEST_OWN_SECRET = 32  # characters
_SHORTEST_SECRET = 24  # bytes; https://www.standardwebhooks.com asks for 24 to 64


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom a touch comes from."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>"


def _sender(value: object) -> object:
    if not isinstance(value, str):
        return value
    name, address = validate_email(value)
    if _UNSAFE_IN_NAME.search(name):
        raise PydanticCustomError("sender_name", "the name holds a comma, a semicolon or a control character")
    return Sender(name=name, address=address)


def _database_url(value: str) -> str:
    try:
        url = make_url(value)
    except ArgumentError:
        raise PydanticCustomError("database_url", "it is not a database URL") from None
    if url.drivername not in _DRIVERS:
        raise PydanticCustomError("database_url", "it is neither SQLite nor PostgreSQL")
    return url.set(drivername=_DRIVERS[url.drivername]).render_as_string(hide_password=False)


def _public_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
        raise PydanticCustomError("public_url", "it is not an http or https address")
    return value.rstrip("/")


def _folder(value: Path) -> Path:
    if not value.is_dir():
        raise PydanticCustomError("folder", "there is no such folder")
    return value


def _package(value: str) -> str:
    if package_folder(value) is None:
        text = "no Python package of that name is found from {folder}, or on Python's own path"
        raise PydanticCustomError("package", text, {"folder": str(Path.cwd())})
    return value


def _text(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("text", "it is empty")
    return value.strip()


def _webhook_key(value: str) -> str:
    try:
        key = load_der_public_key(base64.b64decode(value, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise PydanticCustomError("webhook_key", "it is not a public key of SendGrid's signed Event Webhook")
    return value


def _webhook_secret(value: str) -> str:
    try:
        key = value.removeprefix("whsec_").rstrip("=")  # many leave the padding out
        secret = base64.b64decode(key + "=" * (-len(key) % 4), validate=True)
    except ValueError:
        secret = b""
    if len(secret) < _SHORTEST_SECRET:
        raise PydanticCustomError("webhook_secret", "it is not base64 of 24 random bytes or more")
    return value


def _secret(value: str) -> str:
    if len(value.strip()) < _SHORTEST_OWN_SECRET:
        raise PydanticCustomError("secret", "it is shorter than 32 characters")
    return value


def _several(value: object) -> object:
    """Several in one variable: separated by spaces or commas, or a JSON array of those that hold such themselves."""
    match value:
        case None:
            return ()
        case str() if value.lstrip().startswith("["):
            try:
                return tuple(json.loads(value))
            except ValueError:
                raise PydanticCustomError("several", "it is not a JSON array") from None
        case str():
            return tuple(filter(None, _SEPARATORS.split(value)))
        case _:
            return value


def _each(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(lambda values: tuple(map(check, values)))


Text = Annotated[str, AfterValidator(_text)]
Folder = Annotated[Path, AfterValidator(_folder)]
Package = Annotated[str, AfterValidator(_package)]
HttpUrl = Annotated[str, AfterValidator(_public_url)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
SenderName = Annotated[Sender, NoDecode, BeforeValidator(_sender)]
OwnSecret = Annotated[str, AfterValidator(_secret)]
OwnSecrets = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_several), _each(_secret)]
WebhookKeys = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_several), _each(_webhook_key)]
WebhookSecrets = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_several), _each(_webhook_secret)]
