"""Send by SMTP, without SendGrid. Our own links track clicks and opens: `perennial.channels.tracking`.

Up to the end of DATA a server has surely not taken the mail. Between the last byte and the answer nobody knows: RFC
5321 section 4.5.3.2.6 asks a client to wait ten minutes for that answer; we wait for our time-out.
"""

from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from perennial.channels.ports import (
    Envelope,
    Fate,
    NotSentError,
    SendError,
    SendingStoppedError,
    TryLaterError,
    UnknownFateError,
)
from perennial.channels.tracking import track_links
from perennial.platform.tokens import Tokens

PERMANENT = 500
"""SMTP replies from this code on are final (RFC 5321 section 4.2.1)."""


@dataclass(frozen=True)
class SmtpServer:
    """Where and how mail goes out. `start_tls` None means: if the server offers it."""

    host: str
    port: int = 587
    username: str | None = None
    password: str | None = None
    use_tls: bool = False
    start_tls: bool | None = None
    timeout: float = 30.0  # seconds, below the activity's minute


@dataclass(frozen=True)
class SmtpProvider:
    """Sends by SMTP."""

    server: SmtpServer
    tokens: Tokens
    public_url: str

    async def send(self, envelope: Envelope) -> str:
        """Send, and return our own Message-ID. Raises a SendError that says whether the server may have taken it."""
        message = self._message(envelope)
        server = self.server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.use_tls,
            start_tls=server.start_tls,
            timeout=server.timeout,
        )
        try:
            await self._open(client)
            await self._address(client, envelope)
            await self._deliver(client, message)
        finally:
            client.close()
        return str(message["Message-ID"])

    async def fate(self, touch_id: str) -> Fate:  # noqa: ARG002 - the protocol's
        """Always unknown: SMTP has no way to ask."""
        return "unknown"

    async def _open(self, client: aiosmtplib.SMTP) -> None:
        try:
            await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise SendingStoppedError("the SMTP server refuses our credentials", code=str(error.code)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise TryLaterError(f"the SMTP server does not answer ({type(error).__name__})", code="connect") from error

    async def _address(self, client: aiosmtplib.SMTP, envelope: Envelope) -> None:
        try:
            await client.mail(envelope.sender_address)
            await client.rcpt(envelope.to)
        except aiosmtplib.SMTPSenderRefused as error:
            raise SendingStoppedError("the SMTP server refuses our sender", code=str(error.code)) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise TryLaterError(f"the SMTP server went away ({type(error).__name__})", code="address") from error

    async def _deliver(self, client: aiosmtplib.SMTP, message: EmailMessage) -> None:
        try:
            await client.data(message.as_bytes())
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise UnknownFateError(
                f"no answer after the mail went out ({type(error).__name__})", code="data"
            ) from error

    def _message(self, envelope: Envelope) -> EmailMessage:
        domain = envelope.sender_address.rpartition("@")[2]
        message = EmailMessage()
        message["From"] = _address(envelope.sender_name, envelope.sender_address)
        message["To"] = _address("", envelope.to)
        message["Reply-To"] = _address("", envelope.reply_to)
        message["Subject"] = envelope.subject
        message["Date"] = format_datetime(envelope.at)
        message["Message-ID"] = f"<{envelope.touch_id}@{domain}>"
        for name, value in envelope.headers.items():
            message[name] = value
        message.set_content(envelope.text)
        html = track_links(envelope.html, touch_id=envelope.touch_id, tokens=self.tokens, public_url=self.public_url)
        message.add_alternative(html, subtype="html")
        return message


def _address(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def _refused(error: aiosmtplib.SMTPResponseException) -> SendError:
    if error.code >= PERMANENT:
        return NotSentError("the SMTP server refuses the mail", code=str(error.code))
    return TryLaterError("the SMTP server asks to try again", code=str(error.code))
