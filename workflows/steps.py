"""The activities that carry out what takes patience: pending while they are tried, and called off by exits."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from models.messages import Advanced, DoOrder, Journey, StepOrder, StepOutcome
    from nurture.journey.decision import AnyStep, Do, Park
    from nurture.journey.wording import say_next

OWN_SECONDS = 300.0
"""How long a try of an engineer's own activity may take, unless the track says."""

PATIENTLY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=10))


def begin(
    step: AnyStep, journey: Journey, advanced: Advanced, *, now: datetime, seq: int
) -> workflow.ActivityHandle[Any]:
    """Start the activity of a step whose fact will be the journal's number `seq`.

    What is called off is waited for, as a mail may just be leaving; an engineer's own activity may hang, and is not.
    """
    if isinstance(step, Do):
        return workflow.start_activity(
            step.activity,
            DoOrder(lead_id=journey.lead_id, enrolment_id=journey.enrolment_id, key=step.key, arg=step.arg),
            start_to_close_timeout=timedelta(seconds=step.within or OWN_SECONDS),
            heartbeat_timeout=timedelta(seconds=step.heartbeat) if step.heartbeat else None,
            retry_policy=PATIENTLY if step.tries is None else replace(PATIENTLY, maximum_attempts=step.tries),
            cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
            summary=say_next(step),
        )
    then = advanced.then
    if then is not None and not isinstance(then.next, Park):
        then = None
    return workflow.start_activity(
        step.kind,
        StepOrder(
            enrolment_id=journey.enrolment_id,
            lead_id=journey.lead_id,
            track=workflow.info().workflow_type,
            step=step,
            now=now,
            seq=seq,
            then=then.next if then is not None else None,
            then_facts=then.facts if then is not None else (),
            because=advanced.because,
        ),
        result_type=StepOutcome,
        start_to_close_timeout=timedelta(minutes=1),
        retry_policy=PATIENTLY,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=say_next(step),
    )


def kind_of(error: ActivityError) -> str:
    """What kind of error an activity gave up with; never its text, which may quote anything."""
    return (isinstance(error.cause, ApplicationError) and error.cause.type) or type(error.cause).__name__
