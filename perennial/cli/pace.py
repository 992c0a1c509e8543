"""`pace`: how much mail leaves in a minute and in an hour."""

from dataclasses import asdict
from typing import Annotated

import typer

from nurture.errors import InputError
from perennial.cli.opening import opened_database, run
from perennial.cli.options import Json
from perennial.cli.printing import out, print_json
from perennial.journeys.pace import Pace, read_pace, set_pace


def pace(
    *,
    per_minute: Annotated[int | None, typer.Option("--per-minute", help="The most mail in any minute.")] = None,
    per_hour: Annotated[int | None, typer.Option("--per-hour", help="The most mail in any hour.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Let as much leave as there is.")] = False,
    as_json: Json = False,
) -> None:
    """Say how much mail may leave in a minute and in an hour, over all leads, or what holds now.

    It holds from the next send on. What finds no room is put off and spread, so that an outage does not end with
    everybody's mail in ten seconds.
    """
    given = per_minute is not None or per_hour is not None
    if given and off:
        raise InputError("--off takes no pace; give one of them")
    holds = run(_pace(Pace(per_minute, per_hour) if given or off else None))
    if as_json:
        print_json(asdict(holds))
        return
    said = [f"{most:,} {span}" for most, span in ((holds.per_minute, "a minute"), (holds.per_hour, "an hour")) if most]
    out().print(f"Mail leaves at most at [bold]{' and '.join(said)}[/]." if said else "Mail leaves as it is due.")


async def _pace(new: Pace | None) -> Pace:
    async with opened_database(to_write=new is not None) as inst:
        if new is not None:
            async with inst.database.writing() as session:
                await set_pace(session, new)
        async with inst.database.reading() as session:
            return await read_pace(session)
