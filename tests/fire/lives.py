"""A worker that is killed and started again: `python -m tests.fire.lives JSON`.

It imports everything once and forks a life for each entry of `plan`, `[point, pass]`; a point of "" lives on. It says
`killed POINT` for each life that its fuse ended, `left POINT` for one that had nothing more to do, and `stopped` at the
end, which SIGTERM brings about.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import FrameType

from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

import perennial.app.worker
from models.messages import StepOrder, StepOutcome
from nurture.journey.decision import Send
from perennial.app.worker import step_activities
from perennial.channels.ports import Provider
from perennial.integrations.sendgrid.provider import SendGridProvider
from perennial.integrations.smtp.provider import SmtpProvider, SmtpServer
from perennial.platform.temporal import connect
from perennial.platform.tokens import Tokens
from tests.engine.rig import Rig, rig_on
from tests.fire.fuse import Fuse, Fused, Reports
from tests.fire.story import PIECES, TRACKS

AT_ONCE = 20
UNSTICKY = timedelta(seconds=1)
"""How long the server keeps tasks for a worker that is gone. The default, ten seconds, is longer than these lives."""


@dataclass(frozen=True)
class Life:
    """What a life works on. With `leads` it carries out their sends itself, without Temporal, which takes less time."""

    data_dir: str
    address: str
    tag: str
    mailbox: str
    leads: tuple[str, ...] = ()
    url: str | None = None
    """The database, if it is not the file in `data_dir`."""
    smtp: int = 0
    """The port of an SMTP server to send through, instead of the mailbox."""

    async def live(self, fuse: Fuse) -> None:
        """Work until killed, or until all sends of `leads` have ended."""
        client = await connect(self.address, interceptors=[Reports(fuse)])
        provider: Provider = SendGridProvider("SG.local", self.mailbox or "http://127.0.0.1", tells_time=True)
        if self.smtp:
            server = SmtpServer("127.0.0.1", self.smtp, start_tls=False, timeout=5)
            provider = SmtpProvider(server, Tokens("a secret of the tests"), "https://perennial.example")
        async with rig_on(client, Path(self.data_dir), None, tag=self.tag, url=self.url) as made:
            rig = made.running(*TRACKS).over(Fused(provider, fuse))
            if self.leads:
                await self._send_all(rig, fuse)
                return
            async with rig.working():
                await asyncio.Event().wait()

    async def _send_all(self, rig: Rig, fuse: Fuse) -> None:
        send = next(each for each in step_activities(rig.inst, rig.provider) if each.__name__ == "send")
        room = asyncio.Semaphore(AT_ONCE)

        async def tried(order: StepOrder) -> StepOutcome | float:
            async with room:
                try:
                    outcome: StepOutcome = await ActivityEnvironment().run(send, order)
                except ApplicationError as error:
                    return error.next_retry_delay.total_seconds() if error.next_retry_delay else 1.0
                if outcome.result == "sent":
                    fuse.passing("recorded")
                return outcome

        async def journey(track: str, lead: str) -> None:
            for number, piece in enumerate(PIECES, 1):
                outcome: StepOutcome | float = 0.0
                while isinstance(outcome, float):
                    await asyncio.sleep(outcome)
                    order = StepOrder(
                        enrolment_id=f"{track}/{lead}/1",
                        lead_id=lead,
                        track=track,
                        step=Send(f"send:{piece}", piece),
                        now=rig.inst.now(),
                        seq=number,
                    )
                    outcome = await tried(order)

        async with asyncio.TaskGroup() as tasks:
            for lead in self.leads:
                for track in TRACKS:
                    tasks.create_task(journey(track.name, rig.id(lead)))


def supervise(life: Life, plan: list[tuple[str, int]]) -> None:
    """Let the lives of the plan follow each other. Forks before anything has a thread."""
    current = 0

    def stop(_: int, __: FrameType | None) -> None:
        if current:
            os.kill(current, signal.SIGKILL)
            os.waitpid(current, 0)
        _say("stopped")
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    perennial.app.worker.Worker = partial(Worker, sticky_queue_schedule_to_start_timeout=UNSTICKY)  # type: ignore[assignment,misc]
    for point, on_pass in plan:
        current = os.fork()
        if current == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            fuse = Fuse(point, on_pass)
            fuse.lay()
            asyncio.run(life.live(fuse))
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(current, 0)
        current = 0
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            _say(f"killed {point}")
        else:
            _say(f"left {point}".strip() if status == 0 else f"failed {point}: status {status}")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it would say so twice
    _say("stopped")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    supervise(Life(**given["life"]), given["plan"])
