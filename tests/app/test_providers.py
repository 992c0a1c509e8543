"""The mail provider of an installation, for as long as it is held."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from perennial.app.providers import open_provider
from perennial.channels.ports import Envelope
from perennial.integrations.sendgrid.provider import SendGridProvider
from perennial.platform.database import Database
from perennial.platform.settings import load_settings
from tests.mailroom.running import running

MAIL = Envelope(
    touch_id="t1",
    lead_id="l1",
    to="ada@example.com",
    sender_name="Maya",
    sender_address="maya@northwind.example",
    reply_to="maya@northwind.example",
    subject="Hello",
    text="Hello",
    html="<p>Hello</p>",
    categories=("new-lead",),
    at=datetime(2026, 3, 1, tzinfo=UTC),
)


async def test_a_provider_that_is_let_go_sends_nothing_more(tmp_path: Path) -> None:
    """A worker that stops must not send what was waiting for a thread: nobody would write it down."""
    with running(tmp_path) as mailbox:
        settings = load_settings(data_dir=tmp_path, provider="mailbox", mailbox_url=mailbox.url)
        database = Database(settings.database_url)
        with open_provider(settings, database) as provider:
            assert isinstance(provider, SendGridProvider)
            await provider.send(MAIL)
        with pytest.raises(RuntimeError, match="shutdown"):
            await provider.send(MAIL)
        await database.close()

        assert mailbox.client.totals()["total"] == 1
