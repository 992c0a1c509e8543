"""SMTP against a real server on the loopback: what is sent, and what each refusal means for the touch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as Received

from nurture.errors import InputError
from perennial.channels.ports import Envelope, NotSentError, SendingStoppedError, TryLaterError, UnknownFateError
from perennial.integrations.smtp.provider import SmtpProvider, SmtpServer
from perennial.platform.tokens import Tokens

TOKENS = Tokens("a secret of this test")
PUBLIC = "https://nurture.example"


class Recorder:
    """A server that keeps what it gets, and answers as it is told."""

    def __init__(self, *, rcpt: str = "250 OK", data: str = "250 OK", drop: bool = False) -> None:
        self.rcpt, self.data, self.drop = rcpt, data, drop
        self.received: list[EmailMessage] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Any, envelope: Received, address: str, options: Any
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Received) -> str:  # noqa: N802 - aiosmtpd's name
        if self.data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.received.append(message_from_bytes(envelope.content, policy=policy.default))
        if self.drop:
            assert server.transport is not None
            server.transport.abort()
        return self.data


class RawRecorder(Recorder):
    """One that keeps the bytes, and whom they were for."""

    raw = b""
    to: list[str]

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Received) -> str:  # noqa: N802 - aiosmtpd's name
        assert isinstance(envelope.original_content, bytes)
        self.raw, self.to = envelope.original_content, envelope.rcpt_tos
        return "250 OK"


@asynccontextmanager
async def served(recorder: Recorder) -> AsyncIterator[SmtpProvider]:
    """A provider that talks to a server on a port of its own."""
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(recorder), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield SmtpProvider(SmtpServer("127.0.0.1", port, start_tls=False, timeout=5), TOKENS, PUBLIC)


def envelope() -> Envelope:
    """A mail with two links, one of them our own."""
    return Envelope(
        touch_id="tc0123456789",
        lead_id="ld1",
        to="ada@reader.example",
        sender_name="Maya, of Northwind; Analytics",
        sender_address="maya@northwind.example",
        reply_to="hello@northwind.example",
        subject="Zahlen, denen man traut – für Sie",
        text="Read on: https://northwind.example/a?b=1&c=2",
        html=(
            '<html><body><a href="https://northwind.example/a?b=1&amp;c=2">Read on</a>'
            f'<a href="{PUBLIC}/u/x">Unsubscribe</a></body></html>'
        ),
        categories=("new-lead", "welcome"),
        at=datetime(2026, 1, 5, 9, tzinfo=UTC),
        headers={"List-Unsubscribe": f"<{PUBLIC}/u/x>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    )


async def test_a_mail_arrives_with_both_parts_and_its_unsubscribe_headers() -> None:
    """As it was rendered, whatever characters its names hold."""
    recorder = Recorder()
    async with served(recorder) as provider:
        sent = await provider.send(envelope())
    (mail,) = recorder.received
    assert sent == mail["Message-ID"] == "<tc0123456789@northwind.example>"
    assert mail["Subject"] == "Zahlen, denen man traut – für Sie"
    assert mail["From"].addresses[0].display_name == "Maya, of Northwind; Analytics"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text = mail.get_body(("plain",))
    assert text is not None
    assert "https://northwind.example/a?b=1&c=2" in text.get_content()


async def test_links_go_through_our_redirect_and_the_unsubscribe_link_does_not() -> None:
    """A token holds the touch and the address, and nobody else can make one."""
    recorder = Recorder()
    async with served(recorder) as provider:
        await provider.send(envelope())
    body = recorder.received[0].get_body(("html",))
    assert body is not None
    html = body.get_content()
    token = html.split(f"{PUBLIC}/c/")[1].split('"')[0]
    assert TOKENS.read("click", token) == ("tc0123456789", "https://northwind.example/a?b=1&c=2")
    assert f'href="{PUBLIC}/u/x"' in html
    assert f"{PUBLIC}/o/" in html
    for wrong in (token[:-2], f"{token}x", TOKENS.sign("open", "tc0123456789")):
        with pytest.raises(InputError):
            TOKENS.read("click", wrong)


@pytest.mark.parametrize(
    ("recorder", "means", "of_the_address"),
    [
        (Recorder(rcpt="550 5.1.1 no such user"), NotSentError, "hard"),
        (Recorder(rcpt="550 no such user"), NotSentError, "hard"),
        (Recorder(rcpt="451 try later"), TryLaterError, "soft"),
        (Recorder(rcpt="452 4.2.2 mailbox full"), TryLaterError, "soft"),
        (Recorder(rcpt="552 5.2.2 over quota"), NotSentError, "soft"),
        (Recorder(rcpt="554 5.7.1 relay access denied"), SendingStoppedError, None),
        (Recorder(rcpt="550 5.7.1 your IP is blocked"), SendingStoppedError, None),
        (Recorder(rcpt="550 5.1.8 sender address rejected: domain not found"), SendingStoppedError, None),
        (Recorder(data="554 looks like spam"), SendingStoppedError, None),
        (Recorder(data="452 no room"), TryLaterError, "soft"),
        (Recorder(drop=True), UnknownFateError, None),
    ],
)
async def test_each_refusal_says_whether_the_mail_may_have_gone(
    recorder: Recorder, means: type[Exception], of_the_address: str | None
) -> None:
    """And whose fault it is: the address's, its mailbox's for now, or ours. Only a lost connection leaves a doubt."""
    async with served(recorder) as provider:
        with pytest.raises(means) as caught:
            await provider.send(envelope())
    assert "reader.example" not in str(caught.value)
    soft = "soft" if getattr(caught.value, "soft", False) else None
    assert getattr(caught.value, "bounce", soft) == of_the_address


async def test_the_unsubscribe_header_is_a_bare_url_at_any_length() -> None:
    """Its readers know neither encoded words nor folds within it (RFC 8058)."""
    for length in (20, 200, 900, 960):
        recorder, url = RawRecorder(), f"{PUBLIC}/u/{'x' * length}"
        async with served(recorder) as provider:
            await provider.send(replace(envelope(), headers=envelope().headers | {"List-Unsubscribe": f"<{url}>"}))
        lines = recorder.raw.split(b"\r\n")
        (index,) = (number for number, line in enumerate(lines) if line.startswith(b"List-Unsubscribe:"))
        value = lines[index].removeprefix(b"List-Unsubscribe:").strip() or lines[index + 1].strip()
        assert value == f"<{url}>".encode()
        assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines


async def test_an_international_domain_goes_out_in_ascii() -> None:
    """In the envelope, and in To, From and Reply-To."""
    recorder = RawRecorder()
    mail = replace(
        envelope(), to="ada@bücher.example", sender_address="maya@größe.example", reply_to="hallo@größe.example"
    )
    async with served(recorder) as provider:
        await provider.send(mail)
    assert recorder.to == ["ada@xn--bcher-kva.example"]
    assert b"To: ada@xn--bcher-kva.example" in recorder.raw
    assert b"@xn--gre-6ka8i.example" in recorder.raw
    assert recorder.raw.isascii()


async def test_letters_that_no_server_need_take_are_refused_before_anything_is_sent() -> None:
    """Once, and clearly: another try would end the same way."""
    recorder = Recorder()
    async with served(recorder) as provider:
        with pytest.raises(NotSentError, match="letters before the @-sign") as caught:
            await provider.send(replace(envelope(), to="größe@reader.example"))
    assert caught.value.bounce is None
    assert recorder.received == []


Script = dict[str, str]


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[SmtpProvider]:
    """A provider that talks to a server of raw lines: an answer a command, "" to hang up; `body` answers the mail."""
    served: list[asyncio.Task[None]] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(step: str, otherwise: str) -> bool:
            answer = script.get(step, otherwise)
            writer.write(f"{answer}\r\n".encode() if answer else b"")
            return bool(answer)

        going = await say("greeting", "220 here")
        while going and (line := await reader.readline()):
            verb = line.split()[0].decode().upper()
            going = await say(verb, "354 go on" if verb == "DATA" else "250 ok")
            if going and verb == "DATA":
                await reader.readuntil(b"\r\n.\r\n")
                going = await say("body", "250 ok")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await converse(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield SmtpProvider(SmtpServer("127.0.0.1", port, start_tls=False, timeout=5), TOKENS, PUBLIC)
        await asyncio.gather(*served)


@pytest.mark.parametrize(
    ("script", "means"),
    [
        ({"greeting": "554 5.7.1 banned"}, SendingStoppedError),
        ({"greeting": "421 busy"}, TryLaterError),
        ({"greeting": ""}, TryLaterError),
        ({"greeting": "hello"}, TryLaterError),
        ({"EHLO": "550 5.7.1 bad name", "HELO": "550 5.7.1 bad name"}, SendingStoppedError),
        ({"MAIL": "451 4.3.0 busy"}, TryLaterError),
        ({"MAIL": "421 4.3.2 closing"}, TryLaterError),
        ({"MAIL": "450 4.1.8 domain not found"}, SendingStoppedError),
        ({"MAIL": "550 5.7.1 blocked"}, SendingStoppedError),
        ({"MAIL": ""}, TryLaterError),
        ({"RCPT": ""}, TryLaterError),
        ({"DATA": ""}, TryLaterError),
        ({"body": ""}, UnknownFateError),
        ({"body": "garbage"}, UnknownFateError),
        ({"body": "221 bye"}, UnknownFateError),
    ],
)
async def test_the_place_in_the_dialogue_says_whether_the_mail_may_have_gone(
    script: Script, means: type[Exception]
) -> None:
    """Up to the server's 354 nothing has left; from then on only its refusal says so. None is a mailbox's fault."""
    async with scripted(script) as provider:
        with pytest.raises(means) as caught:
            await provider.send(envelope())
    assert not getattr(caught.value, "soft", False)


async def test_a_line_that_begins_with_a_dot_arrives_as_it_was_written() -> None:
    """A lone dot ends a mail for SMTP, and not for whoever wrote it."""
    recorder = Recorder()
    async with served(recorder) as provider:
        await provider.send(replace(envelope(), text="Before\n.\n..\nafter"))
    text = recorder.received[0].get_body(("plain",))
    assert text is not None
    assert text.get_content().splitlines() == ["Before", ".", "..", "after"]


@pytest.mark.parametrize("field", ["sender_address", "reply_to"])
async def test_an_address_of_ours_that_no_server_need_take_costs_no_lead_its_piece(field: str) -> None:
    """It is the settings' fault."""
    async with served(Recorder()) as provider:
        with pytest.raises(SendingStoppedError, match="our own address"):
            await provider.send(replace(envelope(), **{field: "größe@northwind.example"}))


async def test_no_server_is_worth_another_try() -> None:
    """A refused connection has surely sent nothing."""
    async with served(Recorder()) as provider:
        gone = provider
    with pytest.raises(TryLaterError):
        await gone.send(envelope())


async def test_a_server_without_our_sign_in_stops_sending() -> None:
    """Credentials are a matter of settings, not of a lead."""
    async with served(Recorder()) as provider:
        server = SmtpServer("127.0.0.1", provider.server.port, "maya", "wrong", start_tls=False, timeout=5)
        with pytest.raises((SendingStoppedError, TryLaterError)):
            await SmtpProvider(server, TOKENS, PUBLIC).send(envelope())


def test_a_token_signed_with_an_earlier_secret_still_opens() -> None:
    """A secret can be changed while mails with its links are out."""
    token = Tokens("old").sign("preferences", "tc1")
    assert Tokens("new", earlier=("old",)).read("preferences", token) == ("tc1",)
