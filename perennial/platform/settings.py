"""Perennial's own settings, from `PERENNIAL_*` variables and `.env`; Temporal's: `perennial.platform.temporal`."""

import base64
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from dotenv import dotenv_values
from pydantic import AfterValidator, AliasChoices, BeforeValidator, EmailStr, Field, ValidationError, validate_email
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from nurture.errors import SettingsError, close_names
from perennial.platform.paths import CONTENT

PREFIX = "PERENNIAL_"

_DOTENV = Path(".env")
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
# SendGrid refuses a name with a comma or a semicolon; a line break would let a name write headers.
_UNSAFE_IN_NAME = re.compile(r"[,;\x00-\x1f\x7f]")

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


def _default_database_url(fields: dict[str, Any]) -> str:
    return f"sqlite+aiosqlite:///{fields['data_dir'] / 'perennial.db'}"


def _public_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
        raise PydanticCustomError("public_url", "it is not an http or https address")
    return value.rstrip("/")


def _folder(value: Path) -> Path:
    if not value.is_dir():
        raise PydanticCustomError("folder", "there is no such folder")
    return value


def _text(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("text", "it is empty")
    return value.strip()


def _webhook_key(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        key = load_der_public_key(base64.b64decode(value, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise PydanticCustomError("webhook_key", "it is not a public key of SendGrid's signed Event Webhook")
    return value


def _webhook_secret(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        secret = base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except ValueError:
        secret = b""
    if len(secret) < _SHORTEST_SECRET:
        raise PydanticCustomError("webhook_secret", "it is not base64 of 24 random bytes or more")
    return value


def _secret(value: str | None) -> str | None:
    if value is not None and len(value.strip()) < _SHORTEST_OWN_SECRET:
        raise PydanticCustomError("secret", "it is shorter than 32 characters")
    return value


Text = Annotated[str, AfterValidator(_text)]


class Settings(BaseSettings):
    """Everything that differs between a laptop and production, apart from Temporal's connection.

    Each field is the variable of its name, `PERENNIAL_DATA_DIR` for `data_dir`. A field's description is the
    remedy that an error shows.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=_DOTENV,
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    data_dir: Path = Field(
        default=Path(".perennial"),
        description="a folder for the embedded engine and database, such as .perennial",
    )
    database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        default_factory=_default_database_url,
        repr=False,
        description="postgresql://user:password@host/perennial or sqlite:///perennial.db",
    )
    provider: Literal["mailbox", "sendgrid", "smtp", "database"] = Field(
        default="mailbox",
        description="sendgrid, smtp, mailbox (a SendGrid on this machine), or database (kept there, sent nowhere)",
    )
    mailbox_url: Annotated[str, AfterValidator(_public_url)] = Field(
        default="http://127.0.0.1:8025", description="where the mailbox answers, such as http://127.0.0.1:8025"
    )
    sendgrid_api_key: str | None = Field(
        default=None,
        repr=False,
        validation_alias=AliasChoices("sendgrid_api_key", f"{PREFIX}SENDGRID_API_KEY", "SENDGRID_API_KEY"),
        description="the key as SendGrid showed it, SG.…, with the right to send mail",
    )
    sendgrid_host: Annotated[str, AfterValidator(_public_url)] = Field(
        default="https://api.sendgrid.com",
        description="https://api.sendgrid.com, or https://api.eu.sendgrid.com for accounts kept in Europe",
    )
    smtp_host: Text = Field(default="localhost", description="the mail server's name, such as smtp.your-company.com")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="the mail server's port, such as 587")
    smtp_username: str | None = Field(default=None, description="the name to sign in to the mail server with")
    smtp_password: str | None = Field(
        default=None, repr=False, description="the password to sign in to the mail server with"
    )
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls (port 587), tls (port 465), or none (a server on this machine)"
    )
    sender: Annotated[Sender, NoDecode, BeforeValidator(_sender)] = Field(
        default=Sender(name="Maya at Northwind", address="maya@northwind.example"),
        description="a name and an address, such as Dana Reyes <dana@your-company.com>",
    )
    reply_to: EmailStr = Field(
        default_factory=lambda fields: fields["sender"].address,
        description="one address that a person reads, such as hello@your-company.com",
    )
    postal_address: Text = Field(
        default="Perennial Sample Co., 12 Orchard Lane, Springfield, IL 62701, USA",
        description="your company's postal address; CAN-SPAM wants it in every message",
    )
    content_dir: Annotated[Path, AfterValidator(_folder)] = Field(
        default=CONTENT, description="the folder of content pieces, such as ./content"
    )
    task_queue: Text = Field(default="nurture", description="the name of the workers' task queue, such as nurture")
    public_url: Annotated[str, AfterValidator(_public_url)] = Field(
        default="http://localhost:8000",
        description="the address that leads reach the web server at, such as https://nurture.your-company.com",
    )
    secret: Annotated[str | None, AfterValidator(_secret)] = Field(
        default=None,
        repr=False,
        description="32 random characters or more, the same for every process; `openssl rand -hex 32` makes them",
    )
    web_host: Text = Field(
        default="127.0.0.1", description="the address that the web service listens on, such as 0.0.0.0 for all"
    )
    web_port: int = Field(
        default=8000, ge=0, le=65535, description="the port that the web service listens on, such as 8000; 0 is any"
    )
    sendgrid_webhook_key: Annotated[str | None, AfterValidator(_webhook_key)] = Field(
        default=None,
        description="the verification key that SendGrid shows under Mail Settings, Signed Event Webhook Requests",
    )
    crm_webhook_secret: Annotated[str | None, AfterValidator(_webhook_secret)] = Field(
        default=None,
        repr=False,
        description="a Standard Webhooks secret shared with your CRM, whsec_ and base64 of 24 random bytes or more",
    )
    webhook_max_age: timedelta = Field(
        default=timedelta(hours=25),
        gt=timedelta(0),
        description="how old a signed SendGrid call may be, such as PT25H; SendGrid repeats a call for 24 hours",
    )
    rate_limit: float = Field(
        default=100,
        gt=0,
        allow_inf_nan=False,
        description="how many requests a second one API key may make to one web process, such as 100",
    )
    max_cached_workflows: int = Field(
        default=2_000, ge=1, description="how many journeys a worker keeps in memory, at 50 to 95 KB each"
    )
    max_concurrent_workflow_tasks: int = Field(
        default=100, ge=2, description="how many workflow tasks a worker runs at once, 2 or more"
    )
    max_concurrent_activities: int = Field(
        default=100, ge=1, description="how many activities a worker runs at once, 1 or more"
    )
    max_concurrent_local_activities: int = Field(
        default=100, ge=1, description="how many decisions a worker makes at once, 1 or more"
    )
    log_format: Literal["console", "json"] = Field(default="console", description="console or json")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error"
    )


def load_settings(**overrides: object) -> Settings:
    """The settings of this run: overrides first, then the environment, then `.env`, then the defaults.

    An override of None counts as not given, so a command passes its options on as they are. Raises
    `SettingsError`, one line that names the variable and the remedy, for a bad value and for an unknown
    `PERENNIAL_` variable.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        _refuse_unknown([*os.environ, *dotenv_values(_DOTENV, encoding="utf-8")])
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks the overrides
    except ValidationError as error:
        # A default made from a field that failed fails too, and would only repeat it.
        problems = [one for one in error.errors() if one["type"] != "default_factory_not_called"]
        raise SettingsError("; ".join(_explain(one) for one in problems)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{_DOTENV} cannot be read: {error}; make it readable UTF-8, or remove it") from None


def variable(field: str) -> str:
    """The environment variable of a field."""
    return f"{PREFIX}{field.upper()}"


def _explain(problem: ErrorDetails) -> str:
    field = str(problem["loc"][0])
    remedy = Settings.model_fields[field].description
    return f"{variable(field)} is not usable: {problem['msg'].rstrip('.')}; set it to {remedy}"


def _refuse_unknown(names: Iterable[str]) -> None:
    known = {variable(field) for field in Settings.model_fields}
    for name in sorted({name.upper() for name in names if name.upper().startswith(PREFIX)} - known):
        close = close_names(name, known)
        remedy = f"did you mean {close[0]}?" if close else f"the settings are {', '.join(sorted(known))}"
        raise SettingsError(f"{name} is no setting of Perennial; {remedy}")
