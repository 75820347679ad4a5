"""The gate's tests of pairs against scipy, statsmodels, brute force and the figures it was designed with."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from scipy.special import comb
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests

from pipeline.gate import paired
from pipeline.gate.paired import Pairs

counts = st.integers(0, 60)


@given(counts, counts)
def test_mcnemar_is_the_exact_sign_test(won: int, lost: int) -> None:
    n = won + lost
    brute = sum(comb(n, k, exact=True) for k in range(won, n + 1)) / 2**n
    assert paired.mcnemar(won, lost) == pytest.approx(brute)
    if n:
        test = stats.binomtest(won, n, 0.5, alternative="greater")
        assert paired.mcnemar(won, lost) == pytest.approx(test.pvalue)


@given(counts, counts)
def test_both_sides_together_are_the_two_sided_test_of_statsmodels(won: int, lost: int) -> None:
    theirs = their_mcnemar([[5, won], [lost, 5]], exact=True).pvalue
    ours = min(1.0, 2 * min(paired.mcnemar(won, lost), paired.mcnemar(lost, won)))
    assert ours == pytest.approx(theirs)


@given(counts, counts)
def test_one_more_win_never_speaks_against_the_challenger(won: int, lost: int) -> None:
    assert paired.mcnemar(won + 1, lost) <= paired.mcnemar(won, lost)
    assert paired.mcnemar(won, lost + 1) >= paired.mcnemar(won, lost)


@given(st.integers(1, 300), st.data(), st.floats(-0.3, 0.3))
def test_the_score_uses_the_likeliest_share_under_the_hypothesis(
    n: int, data: st.DataObject, gain: float
) -> None:
    won = data.draw(st.integers(0, n))
    lost = data.draw(st.integers(0, n - won))

    def unlikely(share: float) -> float:
        cells = np.array([share + gain, share, 1 - 2 * share - gain])
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(
                np.array([won, lost, n - won - lost]) > 0, np.log(np.maximum(cells, 1e-300)), 0.0
            )
        return float(-terms @ [won, lost, n - won - lost])

    low, high = max(0.0, -gain), (1 - gain) / 2
    best = optimize.minimize_scalar(
        unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-10}
    ).x
    found = min(max(paired._lost_share(Pairs(n, won, lost), gain), low), high)
    assert unlikely(found) <= unlikely(best) + 1e-6


@given(st.integers(1, 200), counts, counts)
def test_without_a_margin_the_score_is_mcnemars(more: int, won: int, lost: int) -> None:
    pair = Pairs(won + lost + more, won, lost)
    expected = (won - lost) / np.sqrt(won + lost) if won + lost else 0.0
    assert paired.score(pair, 0.0) == pytest.approx(expected)


@given(st.integers(30, 300), counts, counts, st.floats(0.005, 0.2))
def test_an_interval_holds_the_gain_and_a_wider_margin_is_easier_to_show(
    more: int, won: int, lost: int, margin: float
) -> None:
    pair = Pairs(won + lost + more, won, lost)
    bounds = paired.interval(pair)
    assert bounds.low - 1e-6 <= pair.gain <= bounds.high + 1e-6
    assert paired.not_worse(pair, margin + 0.05) <= paired.not_worse(pair, margin) + 1e-12
    better = Pairs(pair.n + 1, won + 1, lost)
    assert paired.not_worse(better, margin) <= paired.not_worse(pair, margin) + 1e-12


@pytest.mark.parametrize("gain", [-0.02, 0.0, 0.01])
def test_an_interval_holds_the_truth_as_often_as_it_says(gain: float) -> None:
    psi, n = 0.05, 800
    drawn = np.random.default_rng(3).multinomial(n, [(psi + gain) / 2, (psi - gain) / 2, 1 - psi], 800)
    found = [paired.interval(Pairs(n, won, lost)) for won, lost, _ in drawn]
    assert 0.93 <= np.mean([one.low <= gain <= one.high for one in found]) <= 0.97


def test_nothing_is_known_of_no_items() -> None:
    none = Pairs(0, 0, 0)
    assert (none.gain, paired.not_worse(none, 0.02), paired.mcnemar(0, 0)) == (0.0, 1.0, 1.0)
    assert paired.interval(none) == paired.Interval(-1.0, 1.0)


def test_all_attempts_together_never_spend_more_than_the_budget() -> None:
    shares = [paired.spent(0.05, k) for k in range(1, 100_000)]
    assert sum(shares) <= 0.05 and shares == sorted(shares, reverse=True)


def power(n: int, psi: float, gain: float, rounds: int = 3000) -> float:
    """How often the exact test at .05 sees a gain that is there."""
    chances = [(psi + gain) / 2, (psi - gain) / 2, 1 - psi]
    drawn = np.random.default_rng(1).multinomial(n, chances, size=rounds)
    return float(np.mean([paired.mcnemar(won, lost) <= 0.05 for won, lost, _ in drawn]))


def test_the_items_said_to_be_needed_are_nearly_enough() -> None:
    pair = Pairs(n=2000, won=40, lost=20)  # psi .03, gain .01
    needed = paired.items_needed(pair, 0.05, 0.01)
    assert 0.75 < power(needed, 0.03, 0.01) < 0.82  # the exact test is a little shy of the formula's 80 %
    assert power(1993, 0.03, 0.01) == pytest.approx(0.8, abs=0.03)
    assert paired.items_needed(pair, 0.05 / 8, 0.01) == pytest.approx(3343, abs=2)


def test_the_items_for_a_margin_are_the_ones_the_gate_was_designed_with() -> None:
    assert paired.items_for_margin(0.03, 0.02, 0.05) == pytest.approx(643, abs=1)
    assert paired.items_for_margin(0.03, 0.05, 0.05) == pytest.approx(103, abs=1)


def test_holm_is_statsmodels_holm() -> None:
    # Few: each of their calls collects all garbage, which takes seconds where torch is loaded.
    for ps in np.random.default_rng(2).random((6, 8)) ** 4:
        named = {str(i): float(p) for i, p in enumerate(ps)}
        theirs = multipletests(ps, 0.05, method="holm")[0]
        assert paired.holm(named, 0.05) == {str(i) for i, stands in enumerate(theirs) if stands}
    assert paired.holm({}, 0.05) == set()


def test_holm_keeps_the_error_of_all_slices_together() -> None:
    drawn = np.random.default_rng(0).random((1000, 20))
    false = sum(bool(paired.holm({str(i): p for i, p in enumerate(ps)}, 0.05)) for ps in drawn)
    assert false / 1000 == pytest.approx(0.05, abs=0.02)
