"""`draw`: the map of a track, as a picture or as text."""

from pathlib import Path
from typing import Annotated

import typer

from nurture.bench.paths.drawing import Map, map_of, mermaid
from nurture.bench.paths.explore import explore
from nurture.errors import InputError
from nurture.journey.track import Track
from perennial.app.drawing import svg_of
from perennial.app.programme import programme_of
from perennial.cli.opening import opened_database, run
from perennial.cli.printing import err, escape, escape_lines, out
from perennial.platform.settings import load_settings
from perennial.reports.places import count_steps

KINDS = (".svg", ".mmd")


def draw(
    track: Annotated[str, typer.Argument(help="The track.")],
    file: Annotated[
        Path | None,
        typer.Option("--out", help="Write it there: .svg is a picture, .mmd Mermaid text. Else Mermaid is printed."),
    ] = None,
    *,
    live: Annotated[bool, typer.Option("--live", help="Say in each box how many leads stand there now.")] = False,
) -> None:
    """Draw the map of a track: what is sent, what is waited for, where it branches, how it ends.

    It is made from every path that the track's code can take, so it is never out of date.
    """
    if file is not None and file.suffix not in KINDS:
        raise InputError(f"--out {file}: the name ends in {' or '.join(KINDS)}, which says what is written")
    programme = programme_of(load_settings())
    the_track = programme.tracks[track]
    standing = run(_standing(the_track)) if live else None
    with err().status(f"following every path of {the_track.name}"):
        drawn = map_of(the_track, explore(the_track, programme.catalogue), standing)
    if file is None:
        out().print(escape_lines(mermaid(drawn)), end="", soft_wrap=True, highlight=False)
        return
    _write(file, drawn)
    out().print(f"wrote {escape(str(file))}: {len(drawn.boxes)} boxes, {len(drawn.arrows)} arrows")


def _write(file: Path, drawn: Map) -> None:
    text = svg_of(drawn) if file.suffix == ".svg" else mermaid(drawn)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {file}: cannot be written: {error.strerror}") from None


async def _standing(track: Track) -> dict[str, int]:
    async with opened_database() as inst, inst.database.reading() as session:
        return await count_steps(session, track)
