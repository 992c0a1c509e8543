"""A short track, and a worker for it in a process of its own: `python -m tests.engine.sprint DATA_DIR ADDRESS TAG`."""

from __future__ import annotations

import asyncio
import sys
from datetime import time
from pathlib import Path

from nurture.gate import Caps
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured
from nurture.journey.track import track
from nurture.timing.calendar import SendWindow
from perennial.platform.temporal import connect
from tests.engine.rig import rig_on

PIECES = ["welcome", "best-of", "last-call"]


@track(
    "sprint",
    caps=Caps(per_day=9, per_week=9, per_month=9),
    quiet_hours=SendWindow(time.min, time.min, frozenset(range(7))),
)
async def sprint(lead: Lead) -> Outcome:
    """Three mails a week apart, an offer to sales and a line for a person.

    At any hour: under a fast clock an open window lasts a blink, which a journey that was held up by a kill misses.
    """
    for piece in PIECES:
        await lead.send(piece)
        await lead.wait(days=7)
    await lead.hand_off("sales", "the end of the sprint")
    await lead.alert("the end of the sprint")
    return nurtured


async def work(data_dir: Path, address: str, tag: str) -> None:
    """Work until killed."""
    async with rig_on(await connect(address), data_dir, None, tag=tag) as rig, rig.running(sprint).working():
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
