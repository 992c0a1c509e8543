"""Delete what Temporal keeps of journeys that have ended: their histories, and their lines in its list."""

from collections.abc import Iterable

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from perennial.journeys.handles import workflow_of
from perennial.platform.temporal import is_not_found

_NOT_OURS_TO_DELETE = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED)


async def forget_journeys(client: Client, enrolments: Iterable[str]) -> bool:
    """Delete the histories of these journeys, each run of each; False if the server does not let us.

    The server deletes them within minutes, and forgets what it did not know. Raises RPCError if it is away.
    """
    for workflow in sorted({workflow_of(each) for each in enrolments}):
        # The list may be a moment behind: the last run is asked for by name.
        runs = {""} | {found.run_id async for found in client.list_workflows(f"WorkflowId = '{workflow}'")}
        for run in sorted(runs):
            try:
                await client.workflow_service.delete_workflow_execution(
                    DeleteWorkflowExecutionRequest(
                        namespace=client.namespace,
                        workflow_execution=WorkflowExecution(workflow_id=workflow, run_id=run),
                    )
                )
            except RPCError as error:
                if error.status in _NOT_OURS_TO_DELETE:
                    return False
                if not is_not_found(error):
                    raise
    return True
