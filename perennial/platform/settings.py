"""Perennial's own settings, from `PERENNIAL_*` variables and `.env`; Temporal's: `perennial.platform.temporal`."""

import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from dotenv import dotenv_values
from pydantic import AliasChoices, EmailStr, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from nurture.errors import SettingsError, close_names
from perennial.platform.paths import PROGRAMME, content_of
from perennial.platform.sample_settings import (
    POSTAL_ADDRESSES,
    address_fault,
    is_here,
    postal_address_fault,
    public_url_fault,
    secret_fault,
)
from perennial.platform.setting_kinds import (
    DatabaseUrl,
    Folder,
    HttpUrl,
    OwnSecret,
    OwnSecrets,
    Package,
    Sender,
    SenderName,
    Text,
    WebhookKeys,
    WebhookSecrets,
)

PREFIX = "PERENNIAL_"

_DOTENV = Path(".env")


def _default_database_url(fields: dict[str, Any]) -> str:
    return f"sqlite+aiosqlite:///{fields['data_dir'] / 'perennial.db'}"


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
    database_url: DatabaseUrl = Field(
        default_factory=_default_database_url,
        repr=False,
        description="postgresql://user:password@host/perennial or sqlite:///perennial.db",
    )
    provider: Literal["mailbox", "sendgrid", "smtp", "database"] = Field(
        default="mailbox",
        description="sendgrid, smtp, mailbox (a SendGrid on this machine), or database (kept there, sent nowhere)",
    )
    mailbox_url: HttpUrl = Field(
        default="http://127.0.0.1:8025", description="where the mailbox answers, such as http://127.0.0.1:8025"
    )
    sendgrid_api_key: str | None = Field(
        default=None,
        repr=False,
        validation_alias=AliasChoices("sendgrid_api_key", f"{PREFIX}SENDGRID_API_KEY", "SENDGRID_API_KEY"),
        description="the key as SendGrid showed it, SG.…, with the right to send mail",
    )
    sendgrid_host: HttpUrl = Field(
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
    sender: SenderName = Field(
        default=Sender(name="Maya at Northwind", address="maya@northwind.example"),
        description="a name and an address, such as Dana Reyes <dana@your-company.com>",
    )
    reply_to: EmailStr = Field(
        default_factory=lambda fields: fields["sender"].address,
        description="one address that a person reads, such as hello@your-company.com",
    )
    postal_address: Text = Field(
        default=POSTAL_ADDRESSES[0],
        description="your company's postal address; CAN-SPAM wants it in every message",
    )
    programme: Package = Field(default=PROGRAMME, description="the Python package of your own programme, such as acme")
    content_dir: Folder = Field(
        default_factory=lambda fields: content_of(fields["programme"]),
        description="the folder of content pieces, such as ./content",
    )
    task_queue: Text = Field(default="nurture", description="the name of the workers' task queue, such as nurture")
    temporal_ui_url: HttpUrl | None = Field(
        default=None,
        description="the address of the Temporal UI, such as https://temporal.your-company.com; `show` links to it",
    )
    public_url: HttpUrl = Field(
        default="http://localhost:8000",
        description="the address that leads reach the web server at, such as https://nurture.your-company.com",
    )
    secret: OwnSecret | None = Field(
        default=None,
        repr=False,
        description="32 random characters or more, the same for every process; `openssl rand -hex 32` makes them",
    )
    earlier_secrets: OwnSecrets = Field(
        default=(),
        repr=False,
        description="earlier secrets, separated by spaces, or as a JSON array if one holds a space",
    )
    double_opt_in: Literal["browser", "never"] = Field(
        default="browser",
        description="browser (an address from a browser confirms first) or never (its consent is believed)",
    )
    web_host: Text = Field(
        default="127.0.0.1", description="the address that the web service listens on, such as 0.0.0.0 for all"
    )
    web_port: int = Field(
        default=8000, ge=0, le=65535, description="the port that the web service listens on, such as 8000; 0 is any"
    )
    sendgrid_webhook_key: WebhookKeys = Field(
        default=(),
        description="the verification key that SendGrid shows under Mail Settings, Signed Event Webhook Requests, "
        "or several separated by spaces",
    )
    crm_webhook_secret: WebhookSecrets = Field(
        default=(),
        repr=False,
        description="a Standard Webhooks secret shared with your CRM, whsec_ and base64 of 24 random bytes or more, "
        "or several separated by spaces",
    )
    webhook_max_age: timedelta = Field(
        default=timedelta(hours=25),
        gt=timedelta(0),
        description="how old a signed SendGrid call may be, such as PT25H; SendGrid repeats a call for 24 hours",
    )
    history_after: timedelta = Field(
        default=timedelta(days=3),
        ge=timedelta(hours=1),
        description="how old an event may be, when it is received, to move journeys, such as P3D; an older one counts "
        "for scores and segments only",
    )
    sweep_every: timedelta = Field(
        default=timedelta(hours=1),
        ge=timedelta(minutes=1),
        le=timedelta(days=30),
        description="how often segments are swept for the tracks that are entered by one, such as PT1H",
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
    keep_events: timedelta = Field(
        default=timedelta(days=400),
        ge=timedelta(days=30),
        description="how long stored events are kept, such as P400D; 30 days or more",
    )
    keep_journals: timedelta = Field(
        default=timedelta(days=730),
        ge=timedelta(days=60),
        description="how long the journal of a journey is kept after its end, such as P730D; 60 days or more",
    )
    keep_touches: timedelta = Field(
        default=timedelta(days=730),
        ge=timedelta(days=366),
        description="how long touches are kept after their journey's end, such as P730D; a year or more, "
        "as their unsubscribe links must work",
    )
    keep_messages: timedelta = Field(
        default=timedelta(days=400),
        ge=timedelta(days=30),
        description="how long kept mail is kept after its journey's end, such as P400D; 30 days or more",
    )
    heartbeat_file: Path | None = Field(
        default=None, description="a file that worker and relay touch while they work, such as /tmp/alive"
    )
    search_attributes: Literal["full", "lean"] = Field(
        default="full",
        description="full or lean: lean shows only Paused and Outcome in Temporal's list, which costs less",
    )
    log_format: Literal["console", "json"] = Field(default="console", description="console or json")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error"
    )


def load_settings(**overrides: object) -> Settings:
    """The settings of this run: overrides first, then the environment, then `.env`, then the defaults.

    An override of None counts as not given, so a command passes its options on as they are. Raises
    `SettingsError`, one line that names the variable and the remedy, for a bad value, for an unknown
    `PERENNIAL_` variable, and for the sample's values once mail really goes out.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        _refuse_unknown([*os.environ, *dotenv_values(_DOTENV, encoding="utf-8")])
        settings = Settings(**given)  # type: ignore[arg-type]  # pydantic checks the overrides
    except ValidationError as error:
        # A default made from a field that failed fails too, and would only repeat it.
        problems = [one for one in error.errors() if one["type"] != "default_factory_not_called"]
        raise SettingsError("; ".join(_explain(one) for one in problems)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{_DOTENV} cannot be read: {error}; make it readable UTF-8, or remove it") from None
    _refuse_sample(settings)
    return settings


def variable(field: str) -> str:
    """The environment variable of a field."""
    return f"{PREFIX}{field.upper()}"


def _explain(problem: ErrorDetails) -> str:
    return _not_usable(str(problem["loc"][0]), problem["msg"].rstrip("."))


def _not_usable(field: str, fault: str) -> str:
    return f"{variable(field)} is not usable: {fault}; set it to {Settings.model_fields[field].description}"


def _refuse_sample(settings: Settings) -> None:
    """Raise SettingsError for values of the sample, if mail really goes out, or leads reach the web service."""
    sends = settings.provider == "smtp" or (settings.provider == "sendgrid" and not is_here(settings.sendgrid_host))
    faults: dict[str, str | None] = {}
    if settings.secret is not None and (sends or not is_here(settings.public_url)):
        faults["secret"] = secret_fault(settings.secret)
    if sends:
        faults |= {
            "sender": address_fault(settings.sender.address),
            "reply_to": address_fault(settings.reply_to),
            "postal_address": postal_address_fault(settings.postal_address),
            "public_url": public_url_fault(settings.public_url),
        }
    if settings.reply_to == settings.sender.address:
        faults.pop("reply_to", None)  # it follows the sender, and would only repeat it
    if found := [_not_usable(field, fault) for field, fault in faults.items() if fault is not None]:
        raise SettingsError("; ".join(found))


def _refuse_unknown(names: Iterable[str]) -> None:
    known = {variable(field) for field in Settings.model_fields}
    for name in sorted({name.upper() for name in names if name.upper().startswith(PREFIX)} - known):
        close = close_names(name, known)
        remedy = f"did you mean {close[0]}?" if close else f"the settings are {', '.join(sorted(known))}"
        raise SettingsError(f"{name} is no setting of Perennial; {remedy}")
