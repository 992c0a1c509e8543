"""A lead's journeys in Temporal: find them by their enrolments, have them exit, wait until they are closed.

A journey's workflow is named after the lead it began with, which after a merge is not the lead that has it now.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from models.journeys import Enrolment
from models.messages import Request
from nurture.errors import SettingsError


def workflow_of(enrolment_id: str) -> str:
    """The workflow id of an enrolment's journey: `{track}/{lead it began with}`."""
    return enrolment_id.rpartition("/")[0]


async def running(session: AsyncSession, leads: Iterable[str]) -> Sequence[str]:
    """The ids of these leads' unfinished enrolments, in order."""
    wanted = select(Enrolment.id).where(Enrolment.lead_id.in_(tuple(leads)), Enrolment.status != "finished")
    return (await session.scalars(wanted.order_by(Enrolment.id))).all()


async def exit_journeys(client: Client, enrolments: Iterable[str], reason: str) -> tuple[str, ...]:
    """Signal these journeys to exit; the enrolments whose workflow was running. `reason` holds no personal data."""
    told: list[str] = []
    for enrolment_id in enrolments:
        handle = client.get_workflow_handle(workflow_of(enrolment_id))
        try:
            await handle.signal("exit", Request(id=f"exit:{enrolment_id}:{reason}", reason=reason))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        else:
            told.append(enrolment_id)
    return tuple(told)


async def await_closed(client: Client, enrolments: Iterable[str], *, within: timedelta) -> None:
    """Wait until these journeys are closed. Raises SettingsError if one is not in time: no worker runs, most likely."""
    try:
        async with asyncio.timeout(within.total_seconds()):
            for enrolment_id in enrolments:
                await _closed(client.get_workflow_handle(workflow_of(enrolment_id)))
    except TimeoutError:
        raise SettingsError(
            f"a journey was told to end and is still running after {within.seconds} seconds; "
            "start a worker with `starter.py worker`, then do this again"
        ) from None


async def _closed(handle: WorkflowHandle[object, object]) -> None:
    try:
        await handle.result()
    except WorkflowFailureError:
        pass  # it failed, and so it has ended
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
