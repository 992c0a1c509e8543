"""Rules of attribution: known answers, and credits that sum to what is credited."""

from datetime import timedelta
from functools import partial
from math import fsum, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import InputError
from nurture.measures.attribution import RULES, by_position, credit, position_rule, time_decay, uncredited, w_shaped
from nurture.measures.markov import markov, removal_effects
from nurture.measures.paths import Path, total_by_channel
from nurture.measures.shapley import shapley, shapley_values, worth_of_sets
from tests.nurture.measures.paths_drawn import path_of, paths


@pytest.mark.parametrize(
    ("rule", "shares"),
    [
        ("first", [1, 0, 0, 0]),
        ("last", [0, 0, 0, 1]),
        ("linear", [0.25, 0.25, 0.25, 0.25]),
        ("u", [0.4, 0.1, 0.1, 0.4]),
        ("w", [0.3, 0.3, 0.1, 0.3]),
    ],
)
def test_each_rule_shares_as_its_name_says(rule: str, shares: list[float]) -> None:
    assert RULES[rule](path_of("abcd", 1, milestones=(1, 3))) == pytest.approx(shares)


def test_time_decay_halves_a_touch_for_each_half_life() -> None:
    """12,000 with touches on days 0, 5, 12, 30, 38."""
    credits_ = credit([path_of("abcde", 12_000, days=(0, 5, 12, 30, 38))], time_decay)
    assert [each.amount for each in credits_] == pytest.approx([175.20, 287.44, 574.88, 3417.04, 7545.45], abs=0.005)


@pytest.mark.parametrize(("touches", "shares"), [("a", [1]), ("ab", [0.5, 0.5])])
def test_a_u_without_a_middle_is_all_ends(touches: str, shares: list[float]) -> None:
    assert by_position(path_of(touches, 1)) == pytest.approx(shares)


@pytest.mark.parametrize(
    ("milestones", "shares"),
    [
        ((2, 2), [0.3, 0.05, 0.6, 0.05]),  # lead and opportunity by the same touch
        ((-3, 3), [0.6, 0.05, 0.05, 0.3]),  # a lead before the first touch
        ((), [0.3 / 0.4, 0.1 / 3 / 0.4, 0.1 / 3 / 0.4, 0.1 / 3 / 0.4]),  # never a lead, never an opportunity
    ],
)
def test_milestones_that_coincide_add_up(milestones: tuple[int, ...], shares: list[float]) -> None:
    assert w_shaped(path_of("abcd", 1, milestones=milestones)) == pytest.approx(shares)


def test_a_company_chooses_its_own_shares() -> None:
    assert position_rule(0.5, 0.25, 0.25)(path_of("abc", 1)) == pytest.approx([0.5, 0.25, 0.25])


def test_shares_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(InputError, match=r"0\.5, 0\.5, 0\.5, do not sum to 1"):
        by_position(path_of("abc", 1), first=0.5, middle=0.5, last=0.5)


def test_a_half_life_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="not positive"):
        time_decay(path_of("abc", 1), half_life=timedelta())


def test_markov_removes_each_channel_in_turn() -> None:
    """1>2>3 converted, 1 not, 2>3 not."""
    given_paths = [path_of("123", 1), path_of("1"), path_of("23")]
    found = removal_effects(given_paths)
    assert found.probability == pytest.approx(1 / 3)
    assert found.effects == pytest.approx({"1": 0.5, "2": 1, "3": 1})
    assert total_by_channel(markov(given_paths)) == pytest.approx({"1": 0.2, "2": 0.4, "3": 0.4})


def test_markov_counts_paths_that_share_a_start() -> None:
    """G converted twice and once not, m once, g>m once."""
    given_paths = [path_of("g", 1), path_of("g", 1), path_of("g"), path_of("m", 1), path_of("gm", 1)]
    found = removal_effects(given_paths)
    assert found.probability == pytest.approx(0.8)
    assert found.effects == pytest.approx({"g": 0.75, "m": 0.5})
    assert total_by_channel(markov(given_paths)) == pytest.approx({"g": 2.4, "m": 1.6})


def test_markov_credits_nothing_where_nothing_converted() -> None:
    assert markov([path_of("ab"), path_of("")]) == []


def test_shapley_averages_over_every_order() -> None:
    worth = {"O": 7, "F": 6, "D": 4, "OF": 15, "OD": 7, "FD": 9, "OFD": 19}
    found = shapley_values({frozenset(players): value for players, value in worth.items()})
    assert found == pytest.approx({"O": 7.6667, "F": 8.1667, "D": 3.1667}, abs=0.00005)


def test_shapley_refuses_more_channels_than_it_can_enumerate() -> None:
    with pytest.raises(InputError, match="17 channels"):
        shapley_values({frozenset("abcdefghijklmnopq"): 1.0})


@given(st.lists(paths(), max_size=6))
def test_the_value_of_paths_has_a_shapley_value_that_needs_no_enumeration(drawn: list[Path]) -> None:
    """Sharing each conversion among its channels is the Shapley value of the stated value function."""
    by_enumeration = shapley_values(worth_of_sets(drawn)) if drawn else {}
    by_path = total_by_channel(shapley(drawn))
    for channel, value in by_enumeration.items():
        assert by_path.get(channel, 0.0) == pytest.approx(value, abs=1e-6)


_MODELS = {name: partial(credit, rule=rule) for name, rule in RULES.items()} | {"markov": markov, "shapley": shapley}


@pytest.mark.parametrize("model", _MODELS)
@given(st.lists(paths(), max_size=12))
def test_credits_sum_to_what_is_credited(model: str, drawn: list[Path]) -> None:
    """Every model gives out what the conversions with touches are worth, to touches that exist."""
    found = _MODELS[model](drawn)
    worth = fsum(path.worth for path in drawn) - uncredited(drawn)
    assert isclose(fsum(each.amount for each in found), worth, rel_tol=1e-9, abs_tol=1e-9)
    assert all(each.amount >= -1e-9 for each in found)
    assert {each.touch for each in found} <= {touch for path in drawn for touch in path.touches}


def test_conversions_without_touches_credit_nothing() -> None:
    lone = path_of("", 5.0)
    assert credit([lone], RULES["linear"]) == markov([lone]) == shapley([lone]) == []
    assert uncredited([lone, path_of("a", 2.0)]) == 5.0


def test_a_path_out_of_order_is_refused() -> None:
    """So is one whose touches come after its conversion, and one that is worth less than nothing."""
    touches = path_of("ab").touches
    with pytest.raises(InputError, match="not in order"):
        Path(touches[::-1])
    with pytest.raises(InputError, match="after its conversion"):
        Path(touches, 1.0, touches[0].at)
    with pytest.raises(InputError, match="0 or more"):
        Path(touches, -1.0)
