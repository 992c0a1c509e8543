"""The mail of a development installation: in the local inbox if one runs on the data folder, else in the database."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow
from models.touches import Message
from nurture.errors import NotFoundError
from perennial.mailroom.client import MailboxClient
from perennial.mailroom.serve import running_mailbox
from perennial.mailroom.store import FILE as MAILBOX_FILE
from perennial.mailroom.store import Store
from perennial.platform.program import command
from perennial.platform.settings import Settings


async def list_mail(
    session: AsyncSession, data_dir: Path, lead: LeadRow | None, last: int
) -> tuple[int, Sequence[Message]]:
    """How many messages there are, and the `last` of them, oldest first; of one lead, or of all."""
    if (url := running_mailbox(data_dir)) is not None:
        return _from_inbox(MailboxClient(url), lead, last)
    wanted = select(Message)
    if lead is not None:
        wanted = wanted.where(Message.lead_id == lead.id)
    total = await session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    newest = await session.scalars(wanted.order_by(Message.at.desc(), Message.touch_id).limit(last))
    return total, newest.all()[::-1]


async def read_mail(session: AsyncSession, data_dir: Path, touch_id: str) -> Message:
    """One message, by its touch. Raises NotFoundError."""
    if (url := running_mailbox(data_dir)) is not None:
        return _message(MailboxClient(url).message(touch_id))
    message = await session.get(Message, touch_id)
    if message is None:
        raise NotFoundError(f"no message {touch_id!r}; `{command('mail')}` lists them")
    return message


def inbox_is_closed(data_dir: Path) -> bool:
    """Whether mail lies in the folder's inbox, and no inbox runs to show it."""
    return (data_dir / MAILBOX_FILE).exists() and running_mailbox(data_dir) is None


async def forget_mail(settings: Settings, addresses: Sequence[str], touches: Sequence[str]) -> None:
    """Delete mail to these addresses and of these touches from the local inbox: the one that runs, or its file.

    Raises SettingsError if the settings name an inbox elsewhere and it does not answer.
    """
    if (url := running_mailbox(settings.data_dir)) is not None:
        await asyncio.to_thread(MailboxClient(url).forget, addresses=addresses, touches=touches)
    elif (settings.data_dir / MAILBOX_FILE).exists():
        mailbox = Store(settings.data_dir)
        try:
            mailbox.forget(addresses, touches)
        finally:
            mailbox.close()
    elif settings.provider == "mailbox" and "mailbox_url" in settings.model_fields_set:
        await asyncio.to_thread(MailboxClient(settings.mailbox_url).forget, addresses=addresses, touches=touches)


def _from_inbox(inbox: MailboxClient, lead: LeadRow | None, last: int) -> tuple[int, Sequence[Message]]:
    found = inbox.messages(limit=last) if lead is None else inbox.messages(limit=last, to=lead.email)
    total = inbox.totals()["total"] if lead is None else len(found)
    return total, [_message(letter) for letter in reversed(found)]


def _message(letter: Mapping[str, Any]) -> Message:
    return Message(
        touch_id=letter["touch_id"],
        to=letter["to"],
        sender=letter["from"],
        subject=letter["subject"],
        text=letter.get("text", ""),
        html=letter.get("html", ""),
        categories=letter["categories"],
        at=datetime.fromisoformat(letter["at"]),
    )
