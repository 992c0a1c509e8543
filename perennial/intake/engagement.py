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
        bot = bot or id_ in await mark_scanners(session, touch, click_of(id_, at, props), touch.delivered_at)
    name = "email.opened" if kind == "open" else "email.clicked"
    return Meaning("done", (Report(id_, lead_id, name, props, at, touch.id, bot=bot),))


async def mark_scanners(
    session: AsyncSession, touch: Touch, new: Click, delivered_at: datetime | None = None
) -> set[str]:
    """Judge all clicks on a touch's mail again, with the new one; mark those of a machine, and return their ids.

    A click marked only now gives its points back: its score entry stays, at 0, and says why.
    """
    of_this_mail = select(BehaviourRow).where(
        BehaviourRow.touch_id == touch.id, BehaviourRow.name == "email.clicked", BehaviourRow.id != new.id
    )
    earlier = (await session.scalars(of_this_mail)).all()
    found = bot_clicks([*(click_of(row.id, row.at, row.props) for row in earlier), new], delivered_at)
    for row in earlier:
        if row.id in found and not row.bot:
            await mark_machine(session, row.id)
            await take_points_back(session, row.id, f"a machine's click ({found[row.id]})")
    return set(found)


def click_of(id_: str, at: datetime, props: Mapping[str, Any]) -> Click:
    """A click, from a behaviour's properties."""
    return Click(id_, at, str(props.get("url", "")), str(props.get("agent", "")))
