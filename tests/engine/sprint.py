"""A short track, and a worker for it in a process of its own: `python -m tests.engine.sprint DATA_DIR ADDRESS TAG`.

With `edited` as a fourth word, the worker has the track as it was edited.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import time
from pathlib import Path

from nurture.gate import Caps
from nurture.journey.lead import Lead
from nurture.journey.outcomes import Outcome, nurtured, rested
from nurture.journey.track import Track, track
from nurture.timing.calendar import SendWindow
from perennial.platform.temporal import connect
from tests.engine.rig import rig_on

PIECES = ["welcome", "best-of", "last-call"]


INSERTED = "still-interested"
AT_ANY_HOUR = SendWindow(time.min, time.min, frozenset(range(7)))
OFTEN = Caps(per_day=9, per_week=9, per_month=9)


@track("sprint", caps=OFTEN, quiet_hours=AT_ANY_HOUR)
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


@track("sprint", caps=OFTEN, quiet_hours=AT_ANY_HOUR)
async def edited(lead: Lead) -> Outcome:
    """The sprint with a guarded mail at its top, the list in another order, and a shorter wait."""
    if not await lead.send(INSERTED):
        return rested
    for piece in (PIECES[1], PIECES[0], PIECES[2]):
        await lead.send(piece)
        await lead.wait(days=6)
    await lead.hand_off("sales", "the end of the sprint")
    await lead.alert("the end of the sprint")
    return nurtured


async def work(data_dir: Path, address: str, tag: str, version: Track) -> None:
    """Work until killed."""
    async with rig_on(await connect(address), data_dir, None, tag=tag) as rig, rig.running(version).working():
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), sys.argv[2], sys.argv[3], edited if sys.argv[4:] == ["edited"] else sprint))
