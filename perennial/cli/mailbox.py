"""`mailbox`: the local SendGrid, with faults on request."""

import asyncio
from typing import Annotated

import typer

from nurture.errors import SettingsError
from nurture.timing.clock import Clock
from perennial.cli.opening import opened_database, run
from perennial.cli.printing import out
from perennial.mailroom.client import MailboxClient
from perennial.mailroom.faults import parse_fault
from perennial.mailroom.serve import DEFAULT_PORT, Options, running_mailbox, serve
from perennial.mailroom.webhook import Manners
from perennial.platform.settings import load_settings


def mailbox(
    *,
    port: Annotated[int, typer.Option(help="The port; 0 is any free one.", min=0, max=65535)] = DEFAULT_PORT,
    webhook_url: Annotated[
        str | None, typer.Option(help="Where events are told. Default: PERENNIAL_PUBLIC_URL/webhooks/sendgrid.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="What goes wrong: rate_limited, error_before, error_after, drop_before, drop_after, slow, refuse, "
            "unauthorised, forbidden, quota; with times=3, chance=0.05 seed=7, seconds=2. May be given several times."
        ),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="End all faults of the mailbox that runs.")] = False,
    hold: Annotated[bool, typer.Option("--hold", help="Deliver nothing by itself; a person does.")] = False,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Tell events out of order.")] = False,
    duplicate: Annotated[float, typer.Option(help="The chance that an event is told twice.", min=0, max=1)] = 0.0,
) -> None:
    """Run the mailbox: it takes mail as SendGrid does, shows it on a page, and tells what happens to it by webhook.

    Where one runs on the data folder already, `--fault` and `--clear` reach that one.
    """
    settings = load_settings()
    faults = [parse_fault(each) for each in fault or ()]
    running = running_mailbox(settings.data_dir)
    if running is not None and (faults or clear):
        client = MailboxClient(running)
        if clear:
            client.clear_faults()
        for each in faults:
            client.fault(each)
        out().print(f"The mailbox at {running} was told: {', '.join(each.kind for each in faults) or 'no faults'}")
        return
    if clear:
        raise SettingsError(f"no mailbox runs on {settings.data_dir}; there are no faults to end")
    options = Options(
        data_dir=settings.data_dir,
        port=port,
        webhook_url=webhook_url or f"{settings.public_url}/webhooks/sendgrid",
        clock=run(_clock()),
        manners=Manners(shuffle=shuffle, duplicate=duplicate),
        faults=faults,
        holds=hold,
    )
    asyncio.run(serve(options, lambda url: print(f"mailbox {url} (Ctrl-C stops it)", flush=True)))


async def _clock() -> Clock:
    """The installation's clock; real time where there is no installation yet."""
    try:
        async with opened_database() as inst:
            return inst.clock
    except SettingsError:
        return Clock.production()
