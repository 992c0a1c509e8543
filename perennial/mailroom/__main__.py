"""`python -m perennial.mailroom`: the mailbox alone, as `dev` starts it."""

import argparse
import asyncio
import json
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import NoReturn

from pydantic import ValidationError

from nurture.errors import PerennialError, SettingsError
from nurture.timing.clock import Clock
from perennial.mailroom.faults import parse_fault
from perennial.mailroom.serve import DEFAULT_PORT, Options, serve
from perennial.mailroom.webhook import Manners


def main() -> None:
    """Serve; one line on standard output says where, once it answers."""
    parser = argparse.ArgumentParser(
        prog="python -m perennial.mailroom", description="A local SendGrid with an inbox page."
    )
    parser.add_argument("--data-dir", type=Path, default=Path(".perennial"), help="the folder of mailbox.db")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="the port, or 0 for any")
    parser.add_argument("--webhook-url", help="where events are told")
    parser.add_argument("--api-key", help="the one bearer key that is let in; any without")
    parser.add_argument("--clock", help='{"real": ..., "virtual": ..., "speed": ...}: the journeys\' clock')
    parser.add_argument("--manners", default="{}", help="how the webhook behaves, as JSON")
    parser.add_argument("--fault", action="append", default=[], help="such as `drop_after times=3`; again for more")
    parser.add_argument("--child", action="store_true", help="stop when standard input closes")
    parser.add_argument("--hold", action="store_true", help="deliver nothing by itself")
    given = parser.parse_args()
    try:
        options = Options(
            data_dir=given.data_dir,
            host=given.host,
            port=given.port,
            webhook_url=given.webhook_url,
            api_key=given.api_key,
            clock=parse_clock(given.clock),
            manners=_manners(given.manners),
            faults=[parse_fault(each) for each in given.fault],
            holds=given.hold,
        )
        if given.child:
            Thread(target=_end_with_input, daemon=True).start()
        asyncio.run(serve(options, lambda url: print(f"mailbox {url}", flush=True)))  # noqa: T201 - read by who started it
    except PerennialError as error:
        _stop(str(error))


def _end_with_input() -> None:
    """Stop as on SIGTERM once the process that started this one has closed our input, or is gone."""
    while sys.stdin.buffer.read(1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def parse_clock(text: str | None) -> Clock:
    """A clock from JSON; production's without. Raises SettingsError."""
    if text is None:
        return Clock.production()
    try:
        given = json.loads(text)
        real, virtual = (datetime.fromisoformat(given[name]) for name in ("real", "virtual"))
        return Clock(real=real, virtual=virtual, speed=float(given["speed"]))
    except (ValueError, LookupError, TypeError, PerennialError) as error:
        raise SettingsError(f"--clock is not understood: {error}") from None


def _manners(text: str) -> Manners:
    try:
        return Manners.model_validate_json(text)
    except ValidationError as error:
        raise SettingsError(f"--manners is not understood: {error.errors()[0]['msg']}") from None


def _stop(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)  # noqa: T201 - the one line of a failure
    sys.exit(4)


if __name__ == "__main__":
    main()
