"""The Temporal Schedule that sweeps segments, made by each worker that starts, and changed if its setting has."""

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from workflows.sweep import SWEEP

SHORTEST = timedelta(seconds=5)


def schedule_id(task_queue: str) -> str:
    """The schedule's id: one for each task queue."""
    return f"{task_queue}/{SWEEP}"


async def ensure_sweeps(client: Client, task_queue: str, every: timedelta, *, speed: float = 1.0) -> None:
    """Have segments swept `every` so long, by a clock of this speed; one sweep at a time. Again changes the interval.

    A sweep that was missed is not made up for: the next finds the same.
    """
    interval = max(every / speed, SHORTEST)
    made = Schedule(
        action=ScheduleActionStartWorkflow(SWEEP, id=schedule_id(task_queue), task_queue=task_queue),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=interval)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=interval),
    )
    try:
        await client.create_schedule(schedule_id(task_queue), made, trigger_immediately=True)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(schedule_id(task_queue)).update(lambda known: _changed(known, made))


def _changed(known: ScheduleUpdateInput, made: Schedule) -> ScheduleUpdate | None:
    """The schedule as it should be, paused if a person paused it; None if it is so already."""
    there = known.description.schedule
    if there.spec.intervals == made.spec.intervals:
        return None
    there.spec, there.policy = made.spec, made.policy
    return ScheduleUpdate(there)
