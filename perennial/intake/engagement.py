"""Opens and clicks of a mail: whose they are, and what is taken back when a click turns out to be a machine's."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.intake import Event
from models.leads import BehaviourRow
from models.touches import Touch
from perennial.intake.bots import Click, bot_clicks, is_machine_agent
from perennial.intake.meaning import Meaning, behaviour_id
from perennial.intake.reports import Report
from perennial.leads.behaviours import mark_machine
from perennial.leads.scores import take_points_back
from perennial.platform.database import Transaction, connection_of

_LONGEST_URL = 500
_LONGEST_AGENT = 200


async def read_engagement(
    session: AsyncSession, event: Event, touch: Touch, lead_id: str, kind: Literal["open", "click"], *, at: datetime
) -> Meaning:
    """An open or a click of a touch's mail, with `url`, `useragent` and `sg_machine_open` as SendGrid names them.

    A machine's is recorded, and scores nothing.
    """
    body, id_ = event.body, behaviour_id(event)
    props = {
        "piece": touch.piece,
        "url": str(body.get("url", ""))[:_LONGEST_URL],
        "agent": str(body.get("useragent", ""))[:_LONGEST_AGENT],
    }
    bot = bool(body.get("sg_machine_open")) or is_machine_agent(props["agent"])
    if kind == "click":
        found = await mark_scanners(session, touch.id, touch.delivered_at, click_of(id_, at, props))
        bot = bot or id_ in found
    name = "email.opened" if kind == "open" else "email.clicked"
    return Meaning("done", (Report(id_, lead_id, name, props, at, touch.id, bot=bot),))


async def mark_scanners(
    transaction: Transaction, touch_id: str, delivered_at: datetime | None, new: Click | None = None
) -> set[str]:
    """Judge all clicks on a touch's mail again, with a new one; mark those of a machine, and return their ids.

    A click that is marked only now gives its points back: its score entry stays, at 0, and says why. Without a new
    click it is the delivery that is new: events come in any order.
    """
    known = select(BehaviourRow.id, BehaviourRow.at, BehaviourRow.props, BehaviourRow.bot).where(
        BehaviourRow.touch_id == touch_id, BehaviourRow.name == "email.clicked"
    )
    rows = (await (await connection_of(transaction)).execute(known)).all()
    earlier = [row for row in rows if new is None or row.id != new.id]
    clicks = [click_of(row.id, row.at, row.props) for row in earlier]
    found = bot_clicks(clicks if new is None else [*clicks, new], delivered_at)
    for row in earlier:
        if row.id in found and not row.bot:
            await mark_machine(transaction, row.id)
            await take_points_back(transaction, row.id, f"a machine's click ({found[row.id]})")
    return set(found)


def click_of(id_: str, at: datetime, props: Mapping[str, Any]) -> Click:
    """A click, from a behaviour's properties."""
    return Click(id_, at, str(props.get("url", "")), str(props.get("agent", "")))
