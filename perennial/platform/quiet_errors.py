"""Failures without personal data: what enters a history is the kind of an error and its place, never its values."""

import traceback
from typing import Any

from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from nurture.errors import ContentError, NotFoundError, SettingsError, TrackError

LONGEST = 500
SPEAKS_OF_CODE = (ContentError, SettingsError, TrackError, NotFoundError)
"""Errors whose text is about our code and settings, and worth reading in the Temporal UI."""


class QuietErrors(Interceptor):
    """Rewrites what an activity raises before it becomes a failure message."""

    def intercept_activity(self, following: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """The link of the chain that rewrites."""
        return _Quiet(following)


class _Quiet(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
        try:
            return await super().execute_activity(input)
        except ApplicationError as error:
            raise error from None  # worded by us; what it was raised from is not
        except CancelledError:
            raise
        except SPEAKS_OF_CODE as error:
            raise ApplicationError(str(error)[:LONGEST], type=type(error).__name__) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, its text must not go on
            frames = traceback.extract_tb(error.__traceback__)
            place = f"{frames[-1].name}, line {frames[-1].lineno}" if frames else "?"
            raise ApplicationError(f"{type(error).__name__} in {place}", type=type(error).__name__) from None
