"""`new`: write a small programme of one's own, which runs and passes its own tests."""

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from nurture.errors import InputError
from perennial.cli.new_files import FILES
from perennial.cli.printing import escape, out
from perennial.platform.paths import CONTENT
from perennial.platform.program import command
from perennial.platform.settings import variable

_PLACE = re.compile(r"(?<!PERENNIAL_)PROGRAMME")

LAYOUTS = ("layout.html.j2", "layout.txt.j2")


def new(
    folder: Annotated[Path, typer.Argument(help="A new folder; its name is the programme's.", show_default=False)],
) -> None:
    """Write a small programme of your own: a track, three pieces, a segment, its tests, a README.

    Its folder must be new, and its name a Python package's.
    """
    name = folder.resolve().name
    if not name.isidentifier() or not name.isascii() or not name.islower() or keyword.iskeyword(name):
        raise InputError(f"{name!r} is no name of a Python package; name a folder such as acme or acme_nurture")
    if folder.exists():
        raise InputError(f"{folder} exists; name a new folder, nothing in it is overwritten")
    for path, text in FILES.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_PLACE.sub(name, text), encoding="utf-8")
    for layout in LAYOUTS:
        (folder / "content" / layout).write_bytes((CONTENT / layout).read_bytes())
    console = out()
    console.print(f"[bold]{escape(str(folder))}[/] holds a programme. In the folder that it lies in:")
    console.print(f"  export {variable('programme')}={name}")
    console.print(f"  {command('check')}")
    console.print(f"  {command('dev')}")
