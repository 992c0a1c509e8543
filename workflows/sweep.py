"""The workflow that sweeps the segments by which leads enter tracks: started by a Temporal Schedule, one at a time."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from models.messages import SweepTold

SWEEP = "segment sweep"
"""The workflow's type; no track can be called so."""


@workflow.defn(name=SWEEP)
class SweepWorkflow:
    """One sweep. Its activity tells how far it is by its heartbeat, and goes on where it was if its worker dies."""

    @workflow.run
    async def run(self) -> SweepTold:
        """Sweep; how many leads came, left and were enrolled."""
        told: SweepTold = await workflow.execute_activity(
            "sweep",
            result_type=SweepTold,
            start_to_close_timeout=timedelta(hours=12),
            heartbeat_timeout=timedelta(minutes=5),
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(minutes=10)),
            summary="enrol those who came into a segment",
        )
        return told
