"""What is said of a journey that Temporal does not let answer."""

from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from nurture.errors import NoAnswerError, RefusedError
from perennial.journeys.handles import view_journey


class RefusingServer:
    """A Temporal client and its handles, for whom the server answers every query with one status."""

    def __init__(self, status: RPCStatusCode) -> None:
        self._status = status

    def get_workflow_handle(self, _id: str) -> "RefusingServer":
        return self

    async def query(self, *_: Any, **__: Any) -> None:
        raise RPCError("Unable to query workflow due to Workflow Task in failed state.", self._status, b"")


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (RPCStatusCode.FAILED_PRECONDITION, NoAnswerError, "its last task failed.*look at the worker's log, or wait"),
        (RPCStatusCode.DEADLINE_EXCEEDED, NoAnswerError, "no worker answered within 15 seconds; start one"),
        (RPCStatusCode.NOT_FOUND, RefusedError, "the journey on new-lead has ended"),
    ],
)
async def test_a_journey_that_does_not_answer_says_what_to_do(
    status: RPCStatusCode, error: type[Exception], said: str
) -> None:
    """The Temporal server gives a status; its own words help nobody."""
    with pytest.raises(error, match=said):
        await view_journey(cast("Client", RefusingServer(status)), "new-lead/ada/1")
