"""Evidence under nightly looks: an honest bet, whoever looks and whenever, whatever trains anew."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from pipeline.gate import wealth
from pipeline.gate.paired import Pairs

counts = st.integers(0, 80)


@given(counts, counts)
def test_evidence_is_the_mean_bet_over_all_strengths(won: int, lost: int) -> None:
    brute, _ = integrate.quad(lambda p: 2 * (2 * p) ** won * (2 * (1 - p)) ** lost, 0.5, 1, epsrel=1e-10)
    assert float(np.exp(wealth.log_evidence(won, lost))) == pytest.approx(brute, rel=1e-5)


@given(counts, counts)
def test_between_equals_the_next_item_is_a_fair_bet(won: int, lost: int) -> None:
    now, up, down = (
        float(np.exp(wealth.log_evidence(won + w, lost + c))) for w, c in ((0, 0), (1, 0), (0, 1))
    )
    assert up >= now >= down
    assert (up + down) / 2 == pytest.approx(now)


def test_the_bet_loses_in_the_mean_where_the_challenger_is_worse() -> None:
    now, up, down = (float(np.exp(wealth.log_evidence(*one))) for one in ((9, 5), (10, 5), (9, 6)))
    assert 0.45 * up + 0.55 * down < now


signs = st.lists(st.sampled_from([1, 0, -1]), max_size=40)


@given(st.lists(signs, max_size=6))
def test_nights_of_one_kin_count_as_one_long_night(nights: list[list[int]]) -> None:
    apart = wealth.grown([("kin", night) for night in nights])
    together = wealth.grown([("kin", [sign for night in nights for sign in night])])
    assert apart == together
    assert apart.height >= apart.now or apart.height == apart.start


@given(signs, signs)
def test_a_new_kin_keeps_what_is_left_and_not_what_was_won(old: list[int], new: list[int]) -> None:
    before = wealth.grown([("old", old)])
    after = wealth.grown([("old", old), ("new", [*new, 0])])
    alone = wealth.grown([("new", [*new, 0])])
    assert after.start == min(1.0, before.now)
    assert after.now == pytest.approx(after.start * alone.now)
    assert after.items == Pairs(len(new) + 1, new.count(1), new.count(-1))


def crossed(chances: np.ndarray, goal: float, seed: int, rounds: int = 1000) -> float:
    """How often the wealth reaches the goal, looked at after every item on which the two differ."""
    won = np.random.default_rng(seed).random((rounds, len(chances))) < chances
    wins = won.cumsum(1)
    curve = wealth.log_evidence(wins, np.arange(1, len(chances) + 1) - wins)
    return float((curve.max(axis=1) >= np.log(goal)).mean())


def test_looking_after_every_item_of_ninety_nights_errs_no_more_than_alpha() -> None:
    equal = np.full(300, 0.5)  # what 10,000 items show where the two differ on 3 %
    assert 0.01 < crossed(equal, 20, 1) <= 0.05
    assert crossed(equal - 0.08, 20, 1) < 0.01


def test_challengers_that_change_every_night_err_no_more_as_long_as_none_is_better() -> None:
    mixed = np.where(np.arange(300) % 7 < 4, 0.5, 0.3)
    assert crossed(mixed, 20, 2) <= 0.05


def test_a_challenger_chosen_by_what_came_before_errs_no_more() -> None:
    """The next one is a clone after a win and a worse one after a loss: choosing by the past helps nobody."""
    rng, reached = np.random.default_rng(4), 0
    for _ in range(400):
        last, signs = 1, []
        for _ in range(200):
            last = 1 if rng.random() < (0.5 if last > 0 else 0.35) else -1
            signs.append(last)
        reached += wealth.grown([("kin", signs)]).height >= 20
    assert reached / 400 <= 0.05


def test_a_better_one_is_seen_after_about_as_many_items_as_it_was_designed_for() -> None:
    rng = np.random.default_rng(5)
    wins = (rng.random((600, 180)) < 2 / 3).cumsum(1)  # of the items on which the two differ: 3 %
    items = rng.geometric(0.03, (600, 180)).cumsum(1)
    crossed = wealth.log_evidence(wins, np.arange(1, 181) - wins) >= np.log(20)
    first = np.where(crossed.any(1), items[np.arange(600), crossed.argmax(1)], 10**6)
    assert 1650 < np.median(first) < 2050


def test_the_items_said_to_be_missing_are_about_enough() -> None:
    so_far = wealth.grown([("kin", [1] * 12 + [-1] * 6 + [0] * 582)])
    more = wealth.items_missing(so_far, 22, 0.01)
    assert more is not None and 800 < more < 2500
    grown = wealth.grown([("kin", [1] * 24 + [-1] * 12 + [0] * 1164)])
    fewer = wealth.items_missing(grown, 22, 0.01)
    assert fewer is not None and fewer < more
    assert wealth.items_missing(wealth.grown([("kin", [-1] * 3000)]), 22, 0.01) is None
