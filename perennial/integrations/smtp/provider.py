"""Send by SMTP, without SendGrid. Our own links track clicks and opens: `perennial.channels.tracking`.

Up to the end of DATA a server has surely not taken the mail. Between the last byte and the answer nobody knows: RFC
5321 section 4.5.3.2.6 asks a client to wait ten minutes for that answer; we wait for our time-out.

What a refusal means is read by `perennial.intake.bounces`, as SendGrid's bounces are: a dead address, a mailbox that is
away, or a server that refuses us, the sender, which uses up no lead's piece.
"""

import re
from dataclasses import dataclass
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import Policy
from email.utils import format_datetime
from functools import partial

import aiosmtplib

from perennial.channels.addresses import own_wire_address, wire_address
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
from perennial.intake.bounces import read_bounce
from perennial.integrations.smtp.answers import with_answer
from perennial.platform.tokens import Tokens

TEMPORARY = 400
PERMANENT = 500
"""SMTP replies refuse from these codes on, for now or finally (RFC 5321 section 4.2.1)."""

_LINE_WITH_A_DOT = re.compile(rb"^\.", re.MULTILINE)
"""A dot that begins a line is doubled (RFC 5321 section 4.5.2)."""

LONGEST_LINE = 998
"""RFC 5322 section 2.1.1."""


class UrlHeader(UnstructuredHeader, BaseHeader):
    """A header that holds a URL: never folded within it, nor encoded, as its readers know neither (RFC 8058)."""

    def fold(self, *, policy: Policy) -> str:
        """On one line; a URL too long for that stands on the next one."""
        gap = policy.linesep + " " if len(self.name) + 2 + len(self) > LONGEST_LINE else " "
        return f"{self.name}:{gap}{self}{policy.linesep}"


def _policy() -> Policy:
    headers = HeaderRegistry()
    headers.map_to_type("list-unsubscribe", UrlHeader)
    return SMTP_POLICY.clone(header_factory=headers)


POLICY = _policy()


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

    acceptance_is_all = True

    async def send(self, envelope: Envelope) -> str:
        """Send, and return our own Message-ID. Raises a SendError that says whether the server may have taken it."""
        try:
            sender, to = own_wire_address(envelope.sender_address), wire_address(envelope.to)
            message = self._message(envelope)
            data = message.as_bytes()
        except SendError:
            raise
        except Exception as error:  # whatever it is, nothing has left
            raise TryLaterError(f"the mail could not be made ({type(error).__name__})", code="made") from error
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
            await self._address(client, sender, to)
            await self._deliver(client, data)
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
        except aiosmtplib.SMTPConnectResponseError as error:
            if error.code >= PERMANENT:
                raise SendingStoppedError("the SMTP server refuses us, the sender", code=str(error.code)) from error
            raise TryLaterError("the SMTP server asks to try again", code=str(error.code)) from error
        except Exception as error:  # nothing has left
            raise TryLaterError(f"the SMTP server does not answer ({type(error).__name__})", code="connect") from error

    async def _address(self, client: aiosmtplib.SMTP, sender: str, to: str) -> None:
        try:
            await client.mail(sender)
            await client.rcpt(to)
        except aiosmtplib.SMTPSenderRefused as error:
            raise _sender_refused(error) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error) from error
        except Exception as error:  # no byte of the mail has left
            raise TryLaterError(f"the SMTP server went away ({type(error).__name__})", code="address") from error

    async def _deliver(self, client: aiosmtplib.SMTP, data: bytes) -> None:
        try:
            await _begin(client)
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error) from error
        except Exception as error:  # no byte of the mail has left
            raise TryLaterError(f"the SMTP server went away ({type(error).__name__})", code="begin") from error
        try:
            await _end(client, data)
        except aiosmtplib.SMTPDataError as error:
            raise _refused(error) from error
        except Exception as error:  # whatever it is, the server may have the mail
            raise UnknownFateError(
                f"no answer after the mail went out ({type(error).__name__})", code="data"
            ) from error

    def _message(self, envelope: Envelope) -> EmailMessage:
        domain = own_wire_address(envelope.sender_address).rpartition("@")[2]
        message = EmailMessage(policy=POLICY)
        message["From"] = _address(envelope.sender_name, own_wire_address(envelope.sender_address))
        message["To"] = _address("", wire_address(envelope.to))
        message["Reply-To"] = _address("", own_wire_address(envelope.reply_to))
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


async def _begin(client: aiosmtplib.SMTP) -> None:
    """Ask to send the mail: up to the server's 354 it has none of it."""
    answer = await client.execute_command(b"DATA")
    if answer.code != aiosmtplib.SMTPStatus.start_input:
        raise aiosmtplib.SMTPDataError(answer.code, answer.message)


async def _end(client: aiosmtplib.SMTP, data: bytes) -> None:
    """Send the mail, which ends its lines with CRLF. Raises SMTPDataError only for an answer that refuses it."""
    protocol = client.protocol
    if protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("the connection is lost")
    protocol.write(_LINE_WITH_A_DOT.sub(b"..", data) + b".\r\n")
    answer = await protocol.read_response(timeout=client.timeout)
    if answer.code >= TEMPORARY:
        raise aiosmtplib.SMTPDataError(answer.code, answer.message)
    if answer.code != aiosmtplib.SMTPStatus.completed:
        raise aiosmtplib.SMTPException(f"the answer {answer.code} says neither that it is taken nor that it is not")


def _sender_refused(error: aiosmtplib.SMTPSenderRefused) -> SendError:
    """What a reply to MAIL means: no lead's mailbox is named yet, so it is about us, or the server is busy."""
    reading = read_bounce(f"{error.code} {error.message}", code=error.code)
    if error.code < PERMANENT and reading == "soft-bounce":
        return TryLaterError("the SMTP server asks to try again", code=str(error.code))
    return SendingStoppedError("the SMTP server refuses our sender", code=str(error.code))


def _refused(error: aiosmtplib.SMTPResponseException) -> SendError:
    """What a reply to RCPT or DATA means, by its code, its enhanced code and its words."""
    code, said = str(error.code), partial(with_answer, code=error.code, words=error.message)
    match read_bounce(f"{error.code} {error.message}", code=error.code):
        case "sender-rejected":
            return SendingStoppedError("the SMTP server refuses us, the sender", code=code)
        case "hard-bounce":
            return NotSentError(said("the SMTP server knows no such mailbox"), code=code, bounce="hard")
        case _ if error.code >= PERMANENT:
            return NotSentError(said("the SMTP server refuses the mail for now"), code=code, bounce="soft")
        case _:
            return TryLaterError("the SMTP server asks to try again", code=code, soft=True)
