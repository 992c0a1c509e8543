"""`leads`: list them."""

from typing import Annotated, Literal

import typer
from rich.table import Table

from models.leads import LeadRow
from nurture.people.scoring import Score
from nurture.people.words import say_words
from perennial.cli.names import require_names
from perennial.cli.opening import opened_database, run, scores_now
from perennial.cli.options import InSegment, Json, Where
from perennial.cli.printing import counted, escape, out, print_json
from perennial.cli.segments import within_segment
from perennial.journeys.handles import tracks_of
from perennial.leads.selection import warmest_leads

NARROWEST_TRAITS = 20


def leads(
    where: Where = None,
    segment: InSegment = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to list.")] = 20,
    as_json: Json = False,
) -> None:
    """List leads, the warmest first: all, or those that a filter or segment finds."""
    require_names(where=where, segment=segment)
    total, found, on = run(_leads(where, segment, limit))
    if as_json:
        print_json(
            {
                "total": total,
                "leads": [_profile(lead, score) | {"tracks": on.get(lead.id, [])} for lead, score in found],
            }
        )
        return
    console = out()
    table = Table(box=None, pad_edge=False, header_style="bold")
    rows = [
        (
            lead.id,
            lead.email,
            str(score.total),
            score.stage,
            ", ".join(on.get(lead.id, [])),
            " ".join(f"{name}={say_words(value)}" for name, value in sorted(lead.traits.items())),
        )
        for lead, score in found
    ]
    fixed = 0
    for number, name in enumerate(("id", "e-mail", "score", "stage", "on", "traits")):
        widest = max(len(name), *(len(row[number]) for row in rows)) if rows else 0
        fixed += 0 if name == "traits" else widest + 1
        justify: Literal["left", "right"] = "right" if name == "score" else "left"
        table.add_column(name, justify=justify, no_wrap=True, min_width=None if name == "traits" else widest)
    for row in rows:
        table.add_row(*map(escape, row))
    console.width = max(console.width, fixed + NARROWEST_TRAITS)  # a narrow terminal wraps lines, and drops nothing
    if found:
        console.print(table)
    console.print(f"{counted(total, 'lead')}" + (f", {len(found)} shown (--limit)" if total > len(found) else ""))


async def _leads(
    where: str | None, segment: str | None, limit: int
) -> tuple[int, list[tuple[LeadRow, Score]], dict[str, list[str]]]:
    async with opened_database() as inst, inst.database.reading() as session:
        within = await within_segment(session, inst, segment)
        total, found = await warmest_leads(session, where, limit, scores_now(inst), within)
        return total, found, await tracks_of(session, [lead.id for lead, _ in found])


def _profile(lead: LeadRow, score: Score) -> dict[str, object]:
    hidden = {"email_key", "erased_at"}
    now = {"score": score.total, "stage": score.stage, "band": score.band}
    columns = [column.key for column in LeadRow.__table__.columns]
    return {name: now.get(name, getattr(lead, name)) for name in columns if name not in hidden}
