"""`keys`: who may call the web service."""

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from perennial.access.keys import SCOPES, create_key, list_keys, revoke_key
from perennial.cli.opening import opened_database, run
from perennial.cli.options import Json
from perennial.cli.printing import err, out, print_json
from perennial.platform.program import command

keys = typer.Typer(no_args_is_help=True, help="API keys of the web service: made, listed, revoked.")


@keys.command("create", epilog=f"Example: `{command('keys create website --scope ingest')}`")
def create(
    name: Annotated[str, typer.Argument(help="Who uses the key, such as website.")],
    scope: Annotated[list[str], typer.Option(help=f"What it may do: {', '.join(SCOPES)}. May be repeated.")],
    as_json: Json = False,
) -> None:
    """Make a key and show it, this once: only its hash is kept."""

    async def work() -> None:
        async with opened_database(to_write=True) as inst, inst.database.writing() as session:
            key = await create_key(session, name, scope, inst.now())
        if as_json:
            print_json(key)
            return
        out().print(key.text)
        err().print(f"Key {key.id} ({key.name}: {', '.join(key.scopes)}). It is shown this once; keep it safe.")

    run(work())


@keys.command("list", epilog=f"Example: `{command('keys list')}`")
def list_(as_json: Json = False) -> None:
    """List every key, revoked ones too; never the keys themselves."""

    async def work() -> None:
        async with opened_database() as inst, inst.database.reading() as session:
            found = await list_keys(session)
        names = ("id", "name", "scopes", "created_at", "last_used_at", "revoked_at")
        if as_json:
            print_json([{name: getattr(key, name) for name in names} for key in found])
            return
        if not found:
            out().print(f"No keys yet: {command('keys create')} NAME --scope ingest")
            return
        table = Table("id", "name", "scopes", "made", "last used", "revoked", box=None, pad_edge=False)
        for key in found:
            days = map(_day, (key.created_at, key.last_used_at, key.revoked_at))
            table.add_row(key.id, key.name, " ".join(key.scopes), *days)
        out().print(table)

    run(work())


@keys.command("revoke", epilog=f"Example: `{command('keys revoke website')}`")
def revoke(name: Annotated[str, typer.Argument(help="The key's id or name.")], as_json: Json = False) -> None:
    """Revoke a key; web processes refuse it within five seconds."""

    async def work() -> None:
        async with opened_database(to_write=True) as inst, inst.database.writing() as session:
            key = await revoke_key(session, name, inst.now())
        if as_json:
            print_json({"id": key.id, "name": key.name, "revoked_at": key.revoked_at})
        else:
            out().print(f"revoked {key.id} ({key.name}); web processes refuse it within five seconds")

    run(work())


def _day(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d}"
