"""`opt-outs`: who is never to be mailed, kept beside the backups and fed in after one was restored."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from nurture.errors import InputError
from perennial.cli.opening import opened_database, recorder_of, run
from perennial.cli.options import Json
from perennial.cli.printing import counted, escape, out, print_json
from perennial.dev.local_mail import forget_mail
from perennial.platform.secrets import secrets_of
from perennial.privacy.erase import Eraser
from perennial.privacy.never_mail import Fed, Feeder, Line, never_mailed, read_lines
from perennial.privacy.suppressor import Suppressor


def opt_outs(
    *,
    to: Annotated[Path | None, typer.Option("--out", help="Write everybody who is never to be mailed here.")] = None,
    feed: Annotated[Path | None, typer.Option("--feed", help="Suppress whom a file of --out names.")] = None,
    as_json: Json = False,
) -> None:
    """Keep who is never to be mailed, as keyed hashes, and feed it in after a backup was restored.

    Run --out every few minutes and keep the file apart from the database. Nothing is lifted by --feed; it is safe to
    repeat.
    """
    if (to is None) == (feed is None):
        raise InputError("say --out FILE to keep them, or --feed FILE after a backup was restored")
    if to is not None:
        number = run(_keep(to))
        if as_json:
            print_json({"kept": number})
        else:
            out().print(f"[bold]{counted(number, 'line')}[/] written to {escape(str(to))}")
        return
    assert feed is not None
    with feed.open(encoding="ascii", errors="replace") as file:
        lines = read_lines(file)
    fed = run(_feed(lines))
    if as_json:
        print_json(asdict(fed))
        return
    out().print(
        f"[bold]{counted(fed.suppressed, 'lead')} suppressed, {counted(fed.erased, 'lead')} erased again[/], "
        f"{counted(fed.addresses, 'address of nobody', 'addresses of nobody')} barred; {fed.known:,} were known"
    )


async def _keep(to: Path) -> int:
    number, part = 0, to.with_name(f"{to.name}.part")
    async with opened_database() as inst, inst.database.reading() as session:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            async for line in never_mailed(session, secrets_of(inst.settings)):
                file.write(f"{line.text()}\n")
                number += 1
    part.replace(to)  # a reader finds the file whole, or the one before
    return number


async def _feed(lines: Sequence[Line]) -> Fed:
    async with opened_database(to_write=True) as inst:
        secrets = secrets_of(inst.settings)
        eraser = Eraser(inst.database, secrets, outside=partial(forget_mail, inst.settings))
        suppressor = Suppressor(inst.database, recorder_of(inst))
        return await Feeder(inst.database, secrets, suppressor, eraser).feed(lines, inst.now())
