"""A company's own activities: what they return is bounded, and an unknown name is answered for.

Without that a mistyped name fails where nobody looks, and the journey waits in silence.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from models.messages import DoOrder
from nurture.errors import close_names
from nurture.journey.own import name_of

MOST_KB = 256
"""A value is kept in the journal and goes with it into each decision: what is larger belongs into your own store."""


def unknown_activity(known: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    """The activity that answers for a name that no other has. It is tried again: the next worker may have it."""
    names = [name_of(each) for each in known]

    @activity.defn(dynamic=True)
    async def unknown(_: Sequence[RawValue]) -> None:
        name = activity.info().activity_type
        near = close_names(name, names)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(names)) or 'none'}"
        raise ApplicationError(
            f"no activity is called {name!r} ({hint}); write it among your own activities, and start the worker again",
            type="NoActivity",
        )

    return unknown


class BoundedValues(Interceptor):
    """Refuses what an own activity returns if it is too large for a journal, or no JSON."""

    def intercept_activity(self, following: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Look at what comes back."""
        return _Bounding(following)


class _Bounding(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
        value = await super().execute_activity(input)
        if not input.args or not isinstance(input.args[0], DoOrder):
            return value
        name = activity.info().activity_type
        try:
            size = len(to_json(value))
        except PydanticSerializationError:
            raise ApplicationError(
                f"{name} returned what is no JSON: return text, numbers, lists and dicts of them",
                type="NotJson",
                non_retryable=True,
            ) from None
        if size > MOST_KB * 1024:
            raise ApplicationError(
                f"{name} returned {size // 1024} KB, and a journal takes {MOST_KB}: keep it yourself, return its id",
                type="ValueTooLarge",
                non_retryable=True,
            )
        return value
