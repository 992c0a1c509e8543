"""What people read: `mail`, the mailbox of development and demos, and `alerts`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import func, select

from models.leads import LeadRow
from models.touches import Message
from nurture.errors import InputError, NotFoundError
from perennial.cli.opening import opened_database, run
from perennial.cli.options import Json
from perennial.cli.printing import out, print_json
from perennial.intake.rejections import sender_rejections
from perennial.journeys.alerts import AlertLine, latest_alerts
from perennial.leads.lookup import require_lead
from perennial.mailroom.client import MailboxClient
from perennial.mailroom.serve import running_mailbox

LATELY = timedelta(days=30)
"""For how long a rejection of our mail calls for attention."""


def mail(
    lead: Annotated[str | None, typer.Argument(help="Only this lead's mail.", show_default=False)] = None,
    *,
    last: Annotated[int, typer.Option(min=1, help="How many to list.")] = 20,
    open_: Annotated[str | None, typer.Option("--open", help="Read one message, by its touch id.")] = None,
    html: Annotated[Path | None, typer.Option(help="With --open: write its HTML to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Look into the mailbox of development and demos: what was sent, and its text."""
    if html is not None and open_ is None:
        raise InputError("--html writes one message; name it with --open TOUCH")
    if open_ is not None:
        _read(open_, html, as_json=as_json)
        return
    total, found = run(_mailbox(lead, last))
    if as_json:
        print_json({"total": total, "messages": [_columns(each, "text", "html") for each in found]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("touch", "when (UTC)", "to", "subject"):
        table.add_column(name, no_wrap=name != "subject")
    for each in found:
        table.add_row(each.touch_id, f"{each.at:%d %b %Y %H:%M}", escape(each.to), escape(each.subject))
    console = out()
    if found:
        console.print(table)
    more = f", the last {len(found)} shown (--last)" if total > len(found) else ""
    console.print(f"{total:,} messages{more}. Read one with [bold]starter.py mail --open TOUCH[/]")


def _read(touch_id: str, html: Path | None, *, as_json: bool) -> None:
    message = run(_message(touch_id))
    if html is not None:
        html.write_text(message.html, encoding="utf-8")
    if as_json:
        print_json(_columns(message))
        return
    console = out()
    for label, value in (("From", message.sender), ("To", message.to), ("Subject", message.subject)):
        console.print(f"[bold]{label}:[/] {escape(value)}")
    console.print(f"[bold]Date:[/] {message.at:%a %d %b %Y %H:%M} UTC\n\n{escape(message.text)}")
    if html is not None:
        console.print(f"\nThe HTML is in {escape(str(html))}")


async def _mailbox(name: str | None, last: int) -> tuple[int, Sequence[Message]]:
    async with opened_database() as inst, inst.database.reading() as session:
        lead = None if name is None else await require_lead(session, name)
        if (url := running_mailbox(inst.settings.data_dir)) is not None:
            return _of_mailbox(MailboxClient(url), lead, last)
        wanted = select(Message)
        if lead is not None:
            wanted = wanted.where(Message.lead_id == lead.id)
        total = await session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
        newest = await session.scalars(wanted.order_by(Message.at.desc(), Message.touch_id).limit(last))
        return total, newest.all()[::-1]


def _of_mailbox(mailbox: MailboxClient, lead: LeadRow | None, last: int) -> tuple[int, Sequence[Message]]:
    """The mail of the mailbox that runs, as if it were in the database."""
    found = mailbox.messages(limit=last) if lead is None else mailbox.messages(limit=last, to=lead.email)
    total = mailbox.totals()["total"] if lead is None else len(found)
    return total, [_kept(letter) for letter in reversed(found)]


def _kept(letter: Mapping[str, Any]) -> Message:
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


async def _message(touch_id: str) -> Message:
    async with opened_database() as inst, inst.database.reading() as session:
        if (url := running_mailbox(inst.settings.data_dir)) is not None:
            return _kept(MailboxClient(url).message(touch_id))
        message = await session.get(Message, touch_id)
    if message is None:
        raise NotFoundError(f"no message {touch_id!r}; `starter.py mail` lists them")
    return message


def alerts(
    last: Annotated[int, typer.Option(min=1, help="How many to list.")] = 20,
    *,
    as_json: Json = False,
) -> None:
    """List what the journeys ask a person to look at, and who rejects our mail because of us; the latest last."""
    found, rejections = run(_alerts(last))
    if as_json:
        ours = [{"at": at, "text": note, "lead_id": None, "email": None} for at, note in rejections]
        print_json([*(asdict(line) for line in found), *ours])
        return
    console = out()
    for line in found:
        console.print(f"{line.at:%d %b %Y %H:%M}  [bold]{escape(line.text)}[/]  {_whose(line)}")
    for at, note in rejections:
        console.print(f"{at:%d %b %Y %H:%M}  [bold red]{escape(note)}[/]")
    if rejections:
        console.print("Look after the sender's reputation: SPF, DKIM, DMARC, complaints, the text.")
    if any(line.held for line in found):
        console.print("Put held leads on their way: `starter.py release --track TRACK --at STEP`, or mend the track.")
    if not found and not rejections:
        console.print("Nothing calls for attention.")


def _whose(line: AlertLine) -> str:
    one = f"{escape(line.email)}  [dim]{line.lead_id}[/]"
    return one if line.leads == 1 else f"{line.leads:,} leads on {line.track}, one of them {one}"


async def _alerts(last: int) -> tuple[list[AlertLine], list[tuple[datetime, str]]]:
    async with opened_database() as inst, inst.database.reading() as session:
        found = await latest_alerts(session, last)
        return found, (await sender_rejections(session, inst.now() - LATELY))[:last][::-1]


def _columns(row: Any, *hidden: str) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns if column.key not in hidden}
