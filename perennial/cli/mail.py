"""`mail`: what was sent, in the local inbox or kept in the database."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from models.touches import Message
from nurture.errors import InputError
from perennial.cli.opening import opened_database, run
from perennial.cli.options import Json
from perennial.cli.printing import counted, escape, escape_lines, out, print_json
from perennial.dev.local_mail import inbox_is_closed, list_mail, read_mail
from perennial.leads.lookup import require_lead
from perennial.platform.program import command
from perennial.platform.settings import load_settings


def mail(
    lead: Annotated[str | None, typer.Argument(help="Only this lead's mail.", show_default=False)] = None,
    *,
    last: Annotated[int, typer.Option(min=1, help="How many to list.")] = 20,
    open_: Annotated[str | None, typer.Option("--open", help="Read one message, by its touch id.")] = None,
    html: Annotated[Path | None, typer.Option(help="With --open: write its HTML to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Look into the local inbox: what was sent, and its text."""
    if html is not None and open_ is None:
        raise InputError("--html writes one message; name it with --open TOUCH")
    if open_ is not None:
        _read(open_, html, as_json=as_json)
        return
    total, found = run(_list(lead, last))
    if as_json:
        print_json({"total": total, "messages": [_columns(each, "text", "html") for each in found]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("touch", "when (UTC)", "to", "subject"):
        table.add_column(name, no_wrap=name != "subject")
    for each in found:
        table.add_row(each.touch_id, f"{each.at:%d %b %Y %H:%M}", escape(each.to), escape(each.subject))
    console = out()
    if not found:
        closed = inbox_is_closed(load_settings().data_dir)
        console.print(f"The inbox is closed; open it with `{command('mailbox')}`." if closed else "No mail yet.")
        return
    console.print(table)
    more = f", the last {len(found)} shown (--last)" if total > len(found) else ""
    console.print(f"{counted(total, 'message')}{more}. Read one with [bold]{command('mail')} --open TOUCH[/]")


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
    console.print(f"[bold]Date:[/] {message.at:%a %d %b %Y %H:%M} UTC\n\n{escape_lines(message.text)}")
    if html is not None:
        console.print(f"\nThe HTML is in {escape(str(html))}")


async def _list(name: str | None, last: int) -> tuple[int, Sequence[Message]]:
    async with opened_database() as inst, inst.database.reading() as session:
        lead = None if name is None else await require_lead(session, name)
        return await list_mail(session, inst.settings.data_dir, lead, last)


async def _message(touch_id: str) -> Message:
    async with opened_database() as inst, inst.database.reading() as session:
        return await read_mail(session, inst.settings.data_dir, touch_id)


def _columns(row: Any, *hidden: str) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns if column.key not in hidden}
