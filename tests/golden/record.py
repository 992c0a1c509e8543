"""Record the golden histories again: `python -m tests.golden.record` writes tests/golden/*.json, one a path.

Only for a change that is meant to change the histories, and that no journey in flight will meet: these files tell
whether the workflow's code still replays what it has once done. The leads in them are made up.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowHistory, WorkflowUpdateFailedError

from models.leads import Suppression
from models.messages import Request
from nurture.journey.decision import Park
from perennial.dev.embedded import embedded_engine
from perennial.platform.migrations import upgrade
from perennial.platform.temporal import connect, ensure_search_attributes
from tests.engine.rig import MONDAY, Rig, behaviour, eventually, finished, parked, quick, rig_on, still, view_of

FOLDER = Path(__file__).parent
Handle = WorkflowHandle[Any, Any]
Path_ = Callable[[Rig], Awaitable[Handle]]

WELCOME_WAIT = "send:welcome/wait"
OFFERED = "graduation/hand_off:sales/wait"


async def rests(handle: Handle) -> Park:
    """Where a journey rests."""

    async def look() -> Park | None:
        following = (await view_of(handle)).next
        return following if isinstance(following, Park) else None

    found = await eventually(look)
    assert found is not None
    return found


async def spike(rig: Rig, lead: str) -> None:
    """A demo and two replies: enough for sales."""
    for name, subject in (("demo.requested", ""), ("email.replied", "welcome"), ("email.replied", "best-of")):
        await rig.hears(lead, name, subject)


async def graduated_and_accepted(rig: Rig) -> Handle:
    """A spike, an offer, and sales takes it."""
    handle = await rig.journey_of("new-lead", "accepted")
    await parked(handle, WELCOME_WAIT)
    await spike(rig, "accepted")
    await eventually(lambda: _is_offered(handle))
    await rig.hears("accepted", "sales.accepted")
    await finished(handle)
    return handle


async def rejected_and_recycled(rig: Rig) -> Handle:
    """Sales declines, and the lead goes on where it was, until it opts out."""
    handle = await rig.journey_of("new-lead", "rejected")
    await parked(handle, WELCOME_WAIT)
    await spike(rig, "rejected")
    await eventually(lambda: _is_offered(handle))
    await rig.hears("rejected", "sales.rejected", "no budget")
    await eventually(lambda: _is_back(handle))
    await rig.hears("rejected", "lead.opted_out")
    await finished(handle)
    return handle


async def _is_offered(handle: Handle) -> bool:
    following = (await view_of(handle)).next
    return isinstance(following, Park) and "hand_off:sales" in following.key


async def _is_back(handle: Handle) -> bool:
    following = (await view_of(handle)).next
    return isinstance(following, Park) and "hand_off" not in following.key


async def lost_deal_to_its_end(rig: Rig) -> Handle:
    """Half a year of silence, from the thank-you to the rest."""
    handle = await rig.journey_of("lost-deal", "lost")
    await finished(handle)
    return handle


async def _to_the_end(handle: Handle) -> None:
    turn = 0
    while (await handle.describe()).close_time is None:
        view = await view_of(handle)
        if isinstance(view.next, Park) and view.next.why == "deferred":
            await handle.signal("exit", Request(id="enough"))
            await finished(handle)
        elif isinstance(view.next, Park):
            turn += 1
            try:
                await handle.execute_update("override", Request(id=f"o{turn}"))
            except WorkflowUpdateFailedError:
                continue
        else:
            await asyncio.sleep(0.01)


async def re_engagement_revived(rig: Rig) -> Handle:
    """A click brings a dormant lead back."""
    handle = await rig.journey_of("re-engagement", "revived")
    await parked(handle, "send:still-interested/wait")
    await rig.hears("revived", "email.clicked", "still-interested")
    await finished(handle)
    return handle


async def put_off_and_paused(rig: Rig) -> Handle:
    """A Saturday's send waits, a pause and a resumption, a refresh, and an exit by hand."""
    handle = await rig.journey_of("new-lead", "paused", at=rig.inst.now())
    await parked(handle, WELCOME_WAIT)
    await handle.signal("pause", Request(id="p1"))
    await parked(handle, WELCOME_WAIT, "paused")
    await rig.hears("paused", "page.viewed", "/about")
    await handle.signal("resume", Request(id="r1"))
    await parked(handle, WELCOME_WAIT)
    await handle.signal("refresh", Request(id="f1"))
    await handle.execute_update("override", Request(id="o1"))
    await handle.execute_update("override", Request(id="o2"))
    await rests(handle)
    await handle.signal("exit", Request(id="e1", reason="recorded enough"))
    await finished(handle)
    return handle


async def refused(rig: Rig) -> Handle:
    """A lead that is suppressed after it was enrolled: each send is refused, and the journey goes on."""
    await rig.add_leads("refused")
    handle = await rig.enrol("re-engagement", "refused")
    await parked(handle, "send:still-interested/wait")
    async with rig.database.writing() as session:
        session.add(Suppression(lead_id=rig.id("refused"), reason="opt-out", source="web", at=MONDAY))
    await _to_the_end(handle)
    return handle


async def continued_as_new(rig: Rig) -> Handle:
    """A run that was begun with a compacted journal, and ends by an exit rule; the run before is `storm`."""
    handle = await rig.journey_of("re-engagement", "continued")
    await parked(handle, "send:still-interested/wait")
    first = (await handle.describe()).run_id
    number = 0
    while (await handle.describe()).run_id == first:
        number += 1
        said = behaviour(f"b{number}", "email.opened", "still-interested", at=rig.inst.now())
        await handle.signal("behaviour", said)
    await rig.hears("continued", "deal.won")
    await finished(handle)
    return handle


async def storm(rig: Rig) -> Handle:
    """The run that ended in continue-as-new."""
    handle = rig.journey("re-engagement", "continued")
    described = await handle.describe()
    history = await handle.fetch_history()
    first = history.events[0].workflow_execution_started_event_attributes.first_execution_run_id
    assert first != described.run_id
    return rig.inst.client.get_workflow_handle(handle.id, run_id=first)


PATHS: tuple[Path_, ...] = (
    graduated_and_accepted,
    rejected_and_recycled,
    re_engagement_revived,
    put_off_and_paused,
    refused,
    continued_as_new,
    storm,
)


async def deferred(rig: Rig) -> Handle:
    """A send that the gate puts off until Monday, and an opt-out before."""
    handle = await rig.journey_of("new-lead", "deferred")
    await parked(handle, "send:welcome", "deferred")
    await rig.hears("deferred", "lead.opted_out")
    await finished(handle)
    return handle


def written(history: WorkflowHistory) -> str:
    """A history as JSON, an event a line, without the names of the machine and the processes it was recorded on."""
    lines = (json.dumps(_nameless(event), sort_keys=True) for event in history.to_json_dict()["events"])
    return '{"events": [\n' + ",\n".join(lines) + "\n]}\n"


def _nameless(value: Any) -> Any:
    match value:
        case dict():
            return {key: _nameless(each) for key, each in value.items() if key != "identity"}
        case list():
            return [_nameless(each) for each in value]
        case _:
            return value


async def record() -> None:
    """Live each path on a server of its own and write its history down."""
    with tempfile.TemporaryDirectory() as folder:
        async with embedded_engine(Path(folder) / "engine") as engine:
            client = await connect(engine.address)
            await ensure_search_attributes(client)
            for number, (clock, paths) in enumerate(
                (
                    (still(), PATHS),
                    (still(MONDAY + timedelta(days=5)), (deferred,)),
                    (quick(), (lost_deal_to_its_end,)),
                )
            ):
                data_dir = Path(folder) / str(number)
                data_dir.mkdir()
                await upgrade(f"sqlite:///{data_dir / 'perennial.db'}")
                async with rig_on(client, data_dir, clock, tag=f"golden{number}") as rig, rig.working():
                    for path in paths:
                        handle = await path(rig)
                        history = await handle.fetch_history()
                        name = path.__name__
                        (FOLDER / f"{name}.json").write_text(written(history))


if __name__ == "__main__":
    asyncio.run(record())
