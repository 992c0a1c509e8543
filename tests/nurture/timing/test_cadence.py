"""How long to wait between touches."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import InputError
from nurture.people.scoring import STAGES
from nurture.timing.cadence import cadence

SCORES = st.integers(0, 100)
DAYS = st.none() | st.floats(0, 1000)


@pytest.mark.parametrize(
    ("last_engaged_days", "waits"),
    [
        (0.0, (7, 5, 3)),
        (7.0, (7, 5, 3)),
        (7.5, (10, 7, 5)),
        (30.0, (10, 7, 5)),
        (31.0, (14, 10, 7)),
        (90.0, (14, 10, 7)),
        (91.0, (28, 21, 14)),
        (None, (28, 21, 14)),
    ],
)
def test_the_wait_follows_the_table(last_engaged_days: float | None, waits: tuple[int, int, int]) -> None:
    """Row by row, at both ends of each row, for a lead who is not hot."""
    assert [cadence(30, stage, last_engaged_days).days for stage in STAGES] == list(waits)


def test_a_hot_lead_never_waits_longer_than_a_week() -> None:
    """A score of 50 is enough, even after a long silence."""
    assert cadence(50, "awareness", None) == timedelta(days=7)
    assert cadence(49, "awareness", None) == timedelta(days=28)
    assert cadence(90, "decision", 1.0) == timedelta(days=3)


def test_an_unknown_stage_is_refused_with_the_known_ones() -> None:
    """A typo in a track is met with the three stages that exist."""
    with pytest.raises(InputError, match="unknown stage 'purchase'; known: awareness, consideration, decision"):
        cadence(10, "purchase", None)


@given(score=SCORES, higher=SCORES, stage=st.sampled_from(STAGES), days=DAYS)
def test_a_higher_score_never_waits_longer(score: int, higher: int, stage: str, days: float | None) -> None:
    """Whatever the stage and the silence."""
    low, high = sorted((score, higher))
    assert cadence(high, stage, days) <= cadence(low, stage, days)


@given(score=SCORES, stage=st.sampled_from(STAGES), days=DAYS, more=st.floats(0, 1000))
def test_a_longer_silence_never_waits_shorter(score: int, stage: str, days: float | None, more: float) -> None:
    """Never is the longest silence of all."""
    longer = None if days is None else days + more
    assert cadence(score, stage, longer) >= cadence(score, stage, days)


@given(score=SCORES, days=DAYS)
def test_a_later_stage_never_waits_longer_and_every_wait_is_whole_days(score: int, days: float | None) -> None:
    """Three days at the least, four weeks at the most."""
    waits = [cadence(score, stage, days) for stage in STAGES]
    assert waits == sorted(waits, reverse=True)
    assert all(wait in {timedelta(days=n) for n in range(3, 29)} for wait in waits)
