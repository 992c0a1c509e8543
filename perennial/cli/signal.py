"""`signal`: report what a lead did."""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from secrets import token_hex
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import LeadRow
from nurture.errors import InputError, NotFoundError
from nurture.people.addresses import try_normalise
from nurture.people.behaviours import behaviour_kind
from nurture.timing.days import day_in
from perennial.app.connected import ConnectedInstallation
from perennial.cli.opening import LATER, opened_database, recorder_of, run, scores_now, tell_if_up
from perennial.cli.options import Json, LeadName, parse_pair, parse_time
from perennial.cli.printing import counted, escape, out, print_json
from perennial.intake.listener import keep_report
from perennial.intake.reports import Receipt, Report
from perennial.leads.behaviours import day_of, on_day
from perennial.leads.lookup import require_lead
from perennial.leads.suppression import SUPPRESSES, WITHDRAWS
from perennial.platform.program import command


def signal(
    lead: LeadName,
    behaviour: Annotated[str, typer.Argument(help="What it did, such as email.clicked.", show_default=False)],
    *,
    prop: Annotated[list[str] | None, typer.Option(help="A property, name=value; may be given again.")] = None,
    at: Annotated[
        str | None, typer.Option(help="When it happened (UTC unless it says), or on which day of the lead's; else now.")
    ] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Its id: reported twice, it counts once.")] = None,
    history: Annotated[
        bool, typer.Option("--history", help="It counts for scores and segments only, and moves no journey.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Report what a lead did: it is recorded, scored, and told to its journeys.

    What happened more than three days ago (PERENNIAL_HISTORY_AFTER), or before a journey began, moves no journey.
    Sales answers the same way: sales.accepted, sales.rejected, deal.lost.
    """
    kind = behaviour_kind(behaviour)
    props = dict(parse_pair(each, "--prop") for each in prop or ())
    when = None if at is None else day_in(at) or parse_time(at, "--at")
    id_ = id_ or f"cli-{token_hex(8)}"
    report, before, receipt, told = run(_signal(lead, kind.name, props, when, id_, history=history))
    if as_json:
        became = {
            "told": told,
            "new": receipt.new,
            "score_before": before,
            "score": receipt.score,
            "heard_by": receipt.told,
            "history": receipt.history,
        }
        print_json({**asdict(report), **became, "heard_later": receipt.waiting, "enters": receipt.entering})
        return
    console = out()
    if not receipt.new:
        console.print(f"Heard before: [bold]{escape(report.id)}[/] counts once.")
        return
    day = day_of(report.props)
    happened = f"{report.at:%a %d %b %Y %H:%M} UTC" if day is None else f"{day:%a %d %b %Y}"
    says = f"{kind.says} {report.subject}".strip()
    console.print(f"Recorded: [bold]{escape(says)}[/], {happened}  [dim]{report.id}[/]")
    change = receipt.score - before
    console.print(f"Score: {before} → [bold]{receipt.score}[/]" if change else f"Score: {before}, unchanged")
    if receipt.history:
        console.print("It is history: it counts for scores and segments, and moves no journey")
        return
    if receipt.told:
        console.print(f"Wakes: {', '.join(receipt.told)}")
    if receipt.waiting:
        console.print(f"{counted(receipt.waiting, 'journey', 'journeys')} will take it in at the next step")
    if receipt.entering:
        console.print(f"Enters: {', '.join(receipt.entering)}")
    if not (receipt.told or receipt.waiting or receipt.entering):
        console.print("The lead is on no track that it moves")
    if not told:
        console.print(LATER)


async def _signal(
    lead: str, behaviour: str, props: dict[str, str], at: datetime | date | None, id_: str, *, history: bool
) -> tuple[Report, int, Receipt, bool]:
    """Report it, now if no time is given; the report, the score before it, what became of it, and who heard at once."""
    async with opened_database(to_write=True) as base:
        now = base.now()
        async with base.database.reading() as session:
            found = await _lead(session, lead, behaviour)
            happened, dated = _moment(at, found.time_zone, now)
            before = await scores_now(base).of(session, found)
        report = Report(id=id_, lead_id=found.id, name=behaviour, props=props | dated, at=happened, history=history)
        receipt = await keep_report(base.database, recorder_of(base), report, now)

        async def tell(inst: ConnectedInstallation) -> bool:
            await inst.listener.tell_stored(receipt)
            return True

        return report, before.total, receipt, bool(await tell_if_up(base, tell))


async def _lead(session: AsyncSession, name: str, behaviour: str) -> LeadRow:
    """The lead of that name; raises NotFoundError, which says how an address of nobody is kept from being mailed."""
    try:
        return await require_lead(session, name)
    except NotFoundError as error:
        if SUPPRESSES.get(behaviour) not in WITHDRAWS or try_normalise(name) is None:
            raise
        raise NotFoundError(f"{error}; so that nobody mails it: `{command('suppress')} {name}`") from None


def _moment(at: datetime | date | None, time_zone: str, now: datetime) -> tuple[datetime, dict[str, str]]:
    """When it happened, and the properties that say so; raises InputError for what has not happened yet."""
    if at is None:
        return now, {}
    if isinstance(at, datetime):
        if at > now + timedelta(minutes=1):
            raise InputError(f"--at {at:%Y-%m-%d %H:%M} is in the future: it is {now:%Y-%m-%d %H:%M} UTC by the clock")
        return at, {}
    happened, dated = on_day(at, time_zone, now)
    if not dated:
        raise InputError(f"--at {at} is in the future: it is {now:%Y-%m-%d %H:%M} UTC by the clock")
    return happened, dated
