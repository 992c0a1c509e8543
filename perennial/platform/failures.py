"""Keep personal data out of histories: a failure tells the kind of an error and its place, never its values."""

import traceback
from typing import Any

from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from nurture.errors import ContentError, NotFoundError, SettingsError, TrackError

LONGEST = 500  # characters
ABOUT_CODE = (ContentError, SettingsError, TrackError, NotFoundError)
"""Errors whose text is about our code and settings, and worth reading in the Temporal UI."""


class FailureRedaction(Interceptor):
    """Rewrites what an activity raises before it becomes a failure in the history."""

    def intercept_activity(self, following: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Put the redaction in front of the activity."""
        return _Redacting(following)


class _Redacting(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
        try:
            return await super().execute_activity(input)
        except ApplicationError as error:
            raise error from None  # we worded it; its cause we did not
        except CancelledError:
            raise
        except ABOUT_CODE as error:
            said = error.said if isinstance(error, TrackError) else str(error)
            raise ApplicationError(said[:LONGEST], type=type(error).__name__) from None
        except Exception as error:  # noqa: BLE001 - its text may hold personal data, whatever it is
            frames = traceback.extract_tb(error.__traceback__)
            place = f"{frames[-1].name}, line {frames[-1].lineno}" if frames else "?"
            raise ApplicationError(f"{type(error).__name__} in {place}", type=type(error).__name__) from None
