"""What an answer of Temporal's means for what the relay had to tell: try everything later, this lead later, or never.

It gives up on the list in `REFUSALS` alone. Whatever else a server, a proxy or a permission answers may be mended by
tomorrow, and an event that was given up would be lost by then.
"""

from enum import Enum

from temporalio.service import RPCError, RPCStatusCode

AWAY = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.PERMISSION_DENIED,
        RPCStatusCode.UNIMPLEMENTED,
    }
)
"""Answers that speak of the server, or of us, and not of one journey."""

REFUSALS = frozenset({RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.OUT_OF_RANGE})
"""Answers that speak of what was told: too large, or not what this journey takes. The same again gets the same."""

_ATTRIBUTE = "search attribute"


class Answer(Enum):
    """What to do about an error."""

    AWAY = "wait, then tell all of it again"
    LATER = "tell the others, and this lead later"
    ATTRIBUTES = "make the search attributes, then tell it again"
    NEVER = "give it up, and say so"


def answer_of(error: RPCError) -> Answer:
    """What an error calls for."""
    if error.status is RPCStatusCode.INVALID_ARGUMENT and _ATTRIBUTE in error.message.lower():
        return Answer.ATTRIBUTES
    if error.status in REFUSALS:
        return Answer.NEVER
    if error.status in AWAY or error.status is RPCStatusCode.NOT_FOUND:  # of a workflow it never gets here
        return Answer.AWAY
    return Answer.LATER
