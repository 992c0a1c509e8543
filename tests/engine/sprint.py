"""A short track, and a worker for it in a process of its own: `python -m tests.engine.sprint DATA_DIR ADDRESS TAG`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from nurture.lead import Lead
from nurture.track import track
from nurture.vocabulary import Outcome, nurtured
from tests.engine.rig import rig_on
from wiring.temporal import connect

PIECES = ["welcome", "best-of", "last-call"]


@track("sprint")
async def sprint(lead: Lead) -> Outcome:
    """Three mails a week apart, an offer to sales and a line for a person."""
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
