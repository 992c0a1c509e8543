"""The mail provider that the settings name. A new provider is one folder in `integrations/` and one case here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import assert_never

from nurture.errors import SettingsError
from perennial.channels.database_mail import DatabaseProvider
from perennial.channels.ports import Provider
from perennial.integrations.sendgrid.provider import SendGridProvider
from perennial.integrations.smtp.provider import SmtpProvider, SmtpServer
from perennial.platform.database import Database
from perennial.platform.secrets import tokens_of
from perennial.platform.settings import Settings, variable

LOCAL_KEY = "SG.the-mailbox-lets-anyone-in"


@contextmanager
def open_provider(settings: Settings, database: Database) -> Iterator[Provider]:
    """The provider, closed at the end of the block: what it has not begun to send by then, it does not send."""
    provider = provider_of(settings, database)
    try:
        yield provider
    finally:
        if isinstance(provider, SendGridProvider):
            provider.close()


def provider_of(settings: Settings, database: Database) -> Provider:
    """The provider. Raises SettingsError if it lacks what it needs.

    It has a place for each send that a worker may be at: none waits between the gate's judgement and the request.
    """
    places = settings.max_concurrent_activities + settings.max_concurrent_local_activities
    match settings.provider:
        case "mailbox":
            return SendGridProvider(LOCAL_KEY, settings.mailbox_url, at_once=places, tells_time=True)
        case "sendgrid":
            if not settings.sendgrid_api_key:
                raise SettingsError(f"no SendGrid key; set SENDGRID_API_KEY, or {variable('provider')} to another one")
            return SendGridProvider(settings.sendgrid_api_key, settings.sendgrid_host, at_once=places)
        case "smtp":
            server = SmtpServer(
                host=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_username,
                password=settings.smtp_password,
                use_tls=settings.smtp_tls == "tls",
                start_tls=settings.smtp_tls == "starttls",
            )
            return SmtpProvider(server, tokens_of(settings), settings.public_url)
        case "database":
            return DatabaseProvider(database)
        case _:
            assert_never(settings.provider)
