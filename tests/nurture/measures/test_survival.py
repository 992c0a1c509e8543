"""Times to an event, held against a published trial."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import InputError
from nurture.measures.survival import Spell, survival

WEEK = timedelta(weeks=1)
_RELAPSED = (6, 6, 6, 7, 10, 13, 16, 22, 23)
_FOLLOWED = (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)


def test_kaplan_meier_agrees_with_freireichs_trial() -> None:
    """21 patients on 6-MP (Freireich et al. 1963): the example of most textbooks."""
    spells = [Spell(weeks * WEEK, True) for weeks in _RELAPSED] + [Spell(weeks * WEEK, False) for weeks in _FOLLOWED]
    found = survival(spells)
    left = [round(each, 4) for _, each, _ in found.steps]
    assert left == [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    assert found.median == 23 * WEEK
    assert found.quantile(0.25) == 13 * WEEK
    assert found.quantile(0.75) is None  # three in four had not relapsed by the end of the trial
    assert found.median_interval() == (13 * WEEK, None)
    assert (found.spells, found.ended) == (21, 9)
    assert found.left_at(15 * WEEK) == pytest.approx(0.6902, abs=5e-5)


def test_who_is_still_under_way_lengthens_the_median() -> None:
    """To count only who has finished would say two days."""
    spells = [Spell(timedelta(days=days), True) for days in (1, 2, 3)]
    assert survival(spells).median == timedelta(days=2)
    assert survival([*spells, *[Spell(timedelta(days=30), False)] * 9]).median is None


def test_nothing_has_no_median() -> None:
    found = survival([])
    assert (found.spells, found.median, found.median_interval()) == (0, None, (None, None))


@given(st.lists(st.integers(0, 50), min_size=1))
def test_once_all_is_over_the_estimate_is_the_share_itself(days: list[int]) -> None:
    found = survival(Spell(timedelta(days=each), True) for each in days)
    for day in range(51):
        share = sum(each > day for each in days) / len(days)
        assert found.left_at(timedelta(days=day)) == pytest.approx(share, abs=1e-9)


def test_a_spell_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InputError, match="before it begins"):
        survival([Spell(-WEEK, True)])
