"""SMTP under fire: a server that drops connections, and a worker that is killed at each point.

Nobody tells of a mail of unknown fate, and the server cannot be asked: at most once leaves it at that, at least once
sends it again. The judge is the server's own record, by touch.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from email import message_from_bytes
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope
from sqlalchemy import select
from temporalio.client import Client

from models.touches import Touch
from perennial.intake.relay import Relay
from tests.engine.rig import quick, rig_on
from tests.fire.fuse import POINTS
from tests.fire.lives import Life
from tests.fire.stand import Ledger, Stand
from tests.fire.story import PIECES, TRACKS
from tests.fire.test_ledger import DAY_A_SECOND, FEW, report, without_temporal
from tests.mailroom.running import Running


class Unreliable:
    """A server that keeps what it takes, and drops connections: at the recipient, before and after it has a mail."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self._dice = random.Random(5)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        """Take most recipients."""
        assert server.transport is not None
        if self._dice.random() < 0.03:
            server.transport.abort()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take most mails, and answer most of the time."""
        assert isinstance(envelope.content, bytes)
        assert server.transport is not None
        fault = self._dice.random()
        if fault < 0.03:
            server.transport.abort()
            return "421 gone"
        touch = str(message_from_bytes(envelope.content)["Message-ID"]).strip("<>").partition("@")[0]
        self.taken[touch] += 1
        if fault < 0.06:
            server.transport.abort()
        return "250 OK"


async def test_killed_at_each_point_smtp_doubles_nothing_at_most_once_and_loses_nothing_at_least_once(
    client: Client, server_address: str, data_dir: Path
) -> None:
    """A life for each point, as with the mailbox."""
    plan = [(point, 4 + number) for number, point in enumerate(POINTS)]
    unreliable = Unreliable()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(unreliable), "127.0.0.1", 0)
    async with server, rig_on(client, data_dir, quick(speed=DAY_A_SECOND)) as made:
        rig = made.running(*TRACKS)
        life = Life(str(data_dir), server_address, rig.tag, "", smtp=server.sockets[0].getsockname()[1])
        nobody = cast("Any", None)
        at = Stand(rig, cast("Running", nobody), life, cast("Relay", nobody))
        worked = await without_temporal(at, FEW, plan)
        async with rig.database.reading() as session:
            touches = (await session.execute(select(Touch.id, Touch.track, Touch.state))).all()
    ledger = Ledger({id_: (track, state) for id_, track, state in touches}, unreliable.taken)
    report(ledger, worked)
    once, surely = (ledger.of(track.name) for track in TRACKS)
    assert (once.sends, surely.sends) == (FEW * len(PIECES), FEW * len(PIECES))
    assert once.doubled == 0
    assert surely.lost == 0
    assert all(unreliable.taken[id_] for id_, _, state in touches if state == "accepted"), "accepted, and nobody has it"
    assert set(unreliable.taken) <= set(ledger.touches), "a mail of no touch"
