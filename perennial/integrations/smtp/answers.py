"""What an SMTP server answered, as it is kept with a touch: without addresses and host names."""

from perennial.intake.bounces import without_names

_SAYS = ", and says: "


def with_answer(what: str, code: int, words: str) -> str:
    """`what` happened, followed by the server's reply code and words."""
    return f"{what}{_SAYS}{code} {without_names(words)}"


def answer_in(reason: str) -> str:
    """The reply code and words in a touch's reason; "" if there are none."""
    return reason.partition(_SAYS)[2]
