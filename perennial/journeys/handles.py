"""A lead's journeys in Temporal: find them by their enrolments, ask them, have them exit, wait until they are closed.

A journey's workflow is named after the lead it began with, which after a merge is not the lead that has it now.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from models.journeys import Enrolment
from models.messages import JournalView, Journey, Release, Request
from nurture.errors import NoAnswerError, RefusedError, SettingsError
from nurture.journey.track import Registry
from nurture.people.addresses import hide_addresses
from perennial.platform.program import command
from perennial.platform.temporal import is_not_found

PATIENCE = timedelta(seconds=15)
"""How long a worker has to answer."""


def workflow_of(enrolment_id: str) -> str:
    """The workflow id of an enrolment's journey: `{track}/{lead it began with}`."""
    return enrolment_id.rpartition("/")[0]


ENROLMENT = "enrolment"
"""The memo that names a workflow's enrolment: a lead can be on a track again under the same workflow id."""


async def enrolment_of(client: Client, handle: WorkflowHandle[Any, Any]) -> str | None:
    """The enrolment that a workflow carries out, by its input."""
    async for begun in handle.fetch_history_events(page_size=1):
        payloads = begun.workflow_execution_started_event_attributes.input.payloads
        (journey,) = await client.data_converter.decode(payloads, [Journey])
        return str(journey.enrolment_id)
    return None


async def running(session: AsyncSession, leads: Iterable[str]) -> Sequence[str]:
    """The ids of these leads' unfinished enrolments, in order."""
    wanted = select(Enrolment.id).where(Enrolment.lead_id.in_(tuple(leads)), Enrolment.status != "finished")
    return (await session.scalars(wanted.order_by(Enrolment.id))).all()


@dataclass(frozen=True, slots=True)
class RunningJourney:
    """A running journey: its enrolment, the lead that has it, its track."""

    enrolment_id: str
    lead_id: str
    track: str


async def running_journeys(
    session: AsyncSession, *, lead_id: str | None = None, tracks: Sequence[str] = ()
) -> list[RunningJourney]:
    """The running journeys of one lead, or of all, in order; on some tracks, or on all."""
    wanted = select(Enrolment.id, Enrolment.lead_id, Enrolment.track).where(Enrolment.status != "finished")
    if lead_id is not None:
        wanted = wanted.where(Enrolment.lead_id == lead_id)
    if tracks:
        wanted = wanted.where(Enrolment.track.in_(tracks))
    return [RunningJourney(*row) for row in await session.execute(wanted.order_by(Enrolment.id))]


async def names_of_track(session: AsyncSession, tracks: Registry, name: str) -> tuple[str, ...]:
    """The names that a track has or had. One whose code is gone is known by its running journeys.

    Raises NotFoundError if there is neither.
    """
    if name in tracks:
        return tracks[name].names
    running = select(Enrolment.id).where(Enrolment.track == name, Enrolment.status != "finished").limit(1)
    if await session.scalar(running) is None:
        tracks[name]  # says which there are
    return (name,)


async def tracks_of(session: AsyncSession, leads: Iterable[str]) -> dict[str, list[str]]:
    """By lead, the tracks that it has a running journey on; leads without one are left out."""
    wanted = select(Enrolment.lead_id, Enrolment.track).where(
        Enrolment.lead_id.in_(tuple(leads)), Enrolment.status != "finished"
    )
    found: dict[str, list[str]] = {}
    for lead_id, track in await session.execute(wanted.order_by(Enrolment.track)):
        found.setdefault(lead_id, []).append(track)
    return found


def without_addresses(request: Request | Release) -> Request | Release:
    """The request as Temporal may keep it: people type addresses into reasons, and histories outlive an erasure."""
    return request.model_copy(update={"reason": hide_addresses(request.reason)})


async def signal_journey(client: Client, enrolment_id: str, name: str, request: Request) -> bool:
    """Signal a journey; False if Temporal knows no such journey running. Raises RPCError for all else it answers."""
    try:
        await client.get_workflow_handle(workflow_of(enrolment_id)).signal(name, without_addresses(request))
    except RPCError as error:
        if not is_not_found(error):
            raise
        return False
    return True


async def view_journey(client: Client, enrolment_id: str) -> JournalView:
    """A journey's journal, and where it stands. Raises as `update_journey` does."""
    with _answered(enrolment_id):
        handle = client.get_workflow_handle(workflow_of(enrolment_id))
        found: JournalView = await handle.query("journal", result_type=JournalView, rpc_timeout=PATIENCE)
    return found


async def update_journey(client: Client, enrolment_id: str, name: str, request: Request | Release) -> str:
    """Run a journey's update; what it answers.

    Raises RefusedError if the journey does not take it or has ended, NoAnswerError if it does not answer.
    """
    with _answered(enrolment_id):
        handle = client.get_workflow_handle(workflow_of(enrolment_id))
        answer: str = await handle.execute_update(
            name, without_addresses(request), rpc_timeout=PATIENCE, result_type=str
        )
    return answer


@contextmanager
def _answered(enrolment_id: str) -> Iterator[None]:
    """Say what it means that a journey does not answer."""
    late = NoAnswerError(
        f"no worker answered within {PATIENCE.seconds} seconds; start one: `{command('worker')}`; or look at its log"
    )
    try:
        yield
    except WorkflowUpdateFailedError as error:
        said = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
        raise RefusedError(said) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise late from None
    except RPCError as error:
        match error.status:
            case RPCStatusCode.NOT_FOUND if is_not_found(error):
                raise RefusedError(f"the journey on {enrolment_id.partition('/')[0]} has ended") from None
            case RPCStatusCode.FAILED_PRECONDITION:
                raise NoAnswerError(
                    f"a journey on {enrolment_id.partition('/')[0]} cannot answer: its last task failed, and is tried "
                    "again; look at the worker's log, or wait"
                ) from None
            case RPCStatusCode.DEADLINE_EXCEEDED | RPCStatusCode.CANCELLED:
                raise late from None
            case _:
                raise


async def await_closed(client: Client, enrolments: Iterable[str], *, within: timedelta) -> None:
    """Wait until these journeys are closed. Raises SettingsError if one is not in time: no worker runs, most likely."""
    try:
        async with asyncio.timeout(within.total_seconds()):
            for enrolment_id in enrolments:
                await _closed(client.get_workflow_handle(workflow_of(enrolment_id)))
    except TimeoutError:
        raise SettingsError(
            f"a journey was told to end and is still running after {within.seconds} seconds; "
            f"start a worker with `{command('worker')}`, then do this again"
        ) from None


async def _closed(handle: WorkflowHandle[object, object]) -> None:
    try:
        await handle.result()
    except WorkflowFailureError:
        pass  # it failed, and so it has ended
    except RPCError as error:
        if not is_not_found(error):
            raise
