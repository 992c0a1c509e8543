"""Whether a rate calls for attention: it is over a bound, or it has changed against its own past beyond chance."""

from nurture.measures.proportions import Rate, difference

COMPLAINTS, MANY_COMPLAINTS = 0.001, 0.003
"""Google's and Yahoo's sender guidelines (2024): stay below 0.1%, and never reach 0.3%."""

BOUNCES = 0.05
"""Amazon SES reviews an account from 5% on."""

DOUBLE, HALF = 2.0, 0.5
"""A change of less is not told, even if it is certain."""


def is_over(rate: Rate, bound: float) -> bool:
    """Whether a rate is over a bound; one hit alone says too little, and so does a rate of few."""
    return rate.hits > 1 and not rate.small and rate.hits > bound * rate.of


def has_spiked(now: Rate, before: Rate) -> bool:
    """Whether a rate has more than doubled, beyond what chance explains (Newcombe's interval at 95%)."""
    return (
        _are_comparable(now, before) and now.hits * before.of > DOUBLE * before.hits * now.of and _differ(now, before)
    )


def has_collapsed(now: Rate, before: Rate) -> bool:
    """Whether a rate has fallen to less than half, beyond what chance explains."""
    return _are_comparable(now, before) and now.hits * before.of < HALF * before.hits * now.of and _differ(now, before)


def _are_comparable(now: Rate, before: Rate) -> bool:
    return not (now.small or before.small)


def _differ(now: Rate, before: Rate) -> bool:
    return not difference(now, before).holds(0)
