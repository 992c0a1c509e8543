"""The stand: a mailbox process that speaks SendGrid, the web service its webhook calls, the relay, and a worker."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread

from sqlalchemy import select

from models.touches import Touch
from perennial.app.sources import translator
from perennial.intake.relay import Relay
from perennial.mailroom.faults import Fault
from perennial.mailroom.webhook import Manners
from perennial.platform.secrets import Secrets
from tests.builders import enrolment
from tests.engine.rig import MONDAY, Rig, eventually
from tests.fire.fuse import POINTS
from tests.fire.lives import Life
from tests.fire.story import TRACKS
from tests.mailroom.running import Running, running
from tests.paths import ROOT
from tests.web.serving import serving

SECRETS = Secrets("a secret of the tests, long enough for one")

FAULTS = (
    Fault(kind="rate_limited", chance=0.01, seed=1, seconds=1),
    Fault(kind="error_before", chance=0.015, seed=2),
    Fault(kind="error_after", chance=0.015, seed=3),
    Fault(kind="drop_before", chance=0.015, seed=4),
    Fault(kind="drop_after", chance=0.015, seed=5),
)
"""What the provider does wrong, each to this many of a hundred requests."""


@dataclass(frozen=True)
class Stand:
    """The stand, and who worked on it."""

    rig: Rig
    mailbox: Running
    life: Life
    relay: Relay

    @contextmanager
    def worker(self, plan: Sequence[tuple[str, int]], leads: Sequence[str] = ()) -> Iterator[Worked]:
        """A worker of that many lives."""
        told = json.dumps({"life": asdict(self.life) | {"leads": list(leads)}, "plan": list(plan)})
        command = [sys.executable, "-m", "tests.fire.lives", told]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            worked = Worked(process, [])
            reader = Thread(target=worked.listen)
            reader.start()
            try:
                yield worked
            finally:
                process.terminate()
                process.wait()
                reader.join()

    async def drained(self) -> None:
        """Wait until the mailbox has told all it knows, and the relay has passed it on."""

        async def quiet() -> bool:
            state = await asyncio.to_thread(self.mailbox.client.webhook)
            return state["waiting"] == 0 and (await self.relay.backlog()).waiting == 0

        await eventually(quiet, within=120)

    async def ledger(self) -> Ledger:
        """The send ledger beside the mailbox's own record."""
        rows = await asyncio.to_thread(self.mailbox.client.accepted)
        async with self.rig.database.reading() as session:
            touches = (await session.execute(select(Touch.id, Touch.track, Touch.state))).all()
        return Ledger({id_: (track, state) for id_, track, state in touches}, Counter(row["touch_id"] for row in rows))


@dataclass
class Worked:
    """What the worker's lives came to."""

    process: subprocess.Popen[str]
    said: list[str]

    def listen(self) -> None:
        """Take down what it says, to its end."""
        assert self.process.stdout is not None
        self.said.extend(line.strip() for line in self.process.stdout)

    @property
    def kills(self) -> dict[str, int]:
        """How many lives each point of the send path cost."""
        found = Counter(line.removeprefix("killed ") for line in self.said if line.startswith("killed "))
        return {point: found[point] for point in POINTS}


@dataclass(frozen=True)
class Ledger:
    """Each touch's track and state, and how often the mailbox accepted it."""

    touches: dict[str, tuple[str, str]]
    accepted: Counter[str]

    def of(self, track: str) -> Tally:
        """The tally of a track."""
        mine = {id_: state for id_, (name, state) in self.touches.items() if name == track}
        return Tally(
            sends=len(mine),
            states=Counter(mine.values()),
            delivered=sum(1 for id_ in mine if self.accepted[id_]),
            lost=sum(1 for id_ in mine if not self.accepted[id_]),
            doubled=sum(1 for id_ in mine if self.accepted[id_] > 1),
            untrue=sorted(
                id_
                for id_, state in mine.items()
                if (state == "accepted") != bool(self.accepted[id_]) or state not in {"accepted", "unknown"}
            ),
        )


@dataclass(frozen=True)
class Tally:
    """Sends of a track. `untrue`: touches whose state in the ledger and in the mailbox differ."""

    sends: int
    states: Counter[str]
    delivered: int
    lost: int
    doubled: int
    untrue: list[str]

    def __str__(self) -> str:
        share = 100 / max(self.sends, 1)
        return (
            f"{self.sends} sends, {self.delivered} delivered, {self.lost} lost ({self.lost * share:.2f}%), "
            f"{self.doubled} delivered more than once ({self.doubled * share:.2f}%)"
        )


@asynccontextmanager
async def stand(made: Rig, address: str, folder: Path) -> AsyncIterator[Stand]:
    """The stand over an installation; its webhook repeats itself and loses the order."""
    rig = made.running(*TRACKS)
    inst = rig.inst
    url = inst.settings.database_url
    relay = Relay(inst.database, inst.listener, translator(SECRETS, inst.scoring))
    with running(folder / "mailbox") as mailbox, serving(url, sendgrid_webhook_key=mailbox.client.webhook_key()) as web:
        manners = Manners(duplicate=0.1, shuffle=True, seed=7)
        mailbox.client.webhook(url=f"{web.url}/webhooks/sendgrid", manners=manners)
        for fault in FAULTS:
            mailbox.client.fault(fault)
        stop = asyncio.Event()
        passing_on = asyncio.create_task(relay.run(stop))
        try:
            life = Life(str(inst.settings.data_dir), address, rig.tag, mailbox.url, url=url)
            yield Stand(rig, mailbox, life, relay)
        finally:
            stop.set()
            await passing_on


async def enrolled(rig: Rig, names: Sequence[str]) -> None:
    """Leads with a row on each track, for sends without Temporal."""
    await rig.add_leads(*names)
    async with rig.database.writing() as session:
        session.add_all(enrolment(track.name, rig.id(name), at=MONDAY) for name in names for track in TRACKS)
