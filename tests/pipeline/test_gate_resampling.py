"""Figures of one model, and intervals of differences, against scipy, scikit-learn and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from pipeline import challenge
from pipeline.gate import resampling, scores

pairs = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=60)


@settings(max_examples=30)
@given(pairs)
def test_figures_are_scikit_learns(items: list[tuple[bool, float]]) -> None:
    labels = np.array([int(label) for label, _ in items], np.int8)
    p = np.array([p for _, p in items])
    expected = metrics.matthews_corrcoef(labels, p > 0.5) if len(set(labels)) > 1 else 0.0
    assert scores.mcc(labels, p) == pytest.approx(expected, abs=1e-9)
    assert sum(scores.confusion(labels, p).values()) == len(items)
    if 0 < labels.sum() < len(labels):
        assert scores.auc(labels, p) == pytest.approx(metrics.roc_auc_score(labels, p))
        recall, precision = scores.precision_recall(labels, p)
        area = np.sum(np.diff(np.append(0.0, recall)) * precision)
        assert area == pytest.approx(metrics.average_precision_score(labels, p))
        assert scores.balanced_accuracy(labels, p) == pytest.approx(
            metrics.balanced_accuracy_score(labels, p > 0.5)
        )


@pytest.mark.parametrize(("n", "seen"), [(200, 0.031), (500, 0.021), (2000, 0.011)])
def test_a_calibrated_model_shows_the_error_that_chance_shows(n: int, seen: float) -> None:
    rng = np.random.default_rng(6)
    confident = np.clip(rng.beta(12, 0.5, size=n), 0.5, 1)
    p = np.where(rng.random(n) < 0.5, confident, 1 - confident)
    assert confident.mean() == pytest.approx(0.96, abs=0.012)
    assert seen / 1.8 < scores.calibration_null(p, 1) < seen * 1.8  # of the size the gate was designed with
    errors = [scores.calibration_error((rng.random(n) < p).astype(np.int8), p) for _ in range(200)]
    assert np.mean(np.array(errors) <= scores.calibration_null(p, 1)) == pytest.approx(0.95, abs=0.05)


def test_an_overconfident_model_is_beyond_chance() -> None:
    rng = np.random.default_rng(7)
    p = np.full(1000, 0.99)
    labels = (rng.random(1000) < 0.9).astype(np.int8)
    assert scores.calibration_error(labels, p) > scores.calibration_null(p, 1)


def test_the_reward_of_two_rates_is_that_of_a_model_with_them() -> None:
    rng = np.random.default_rng(8)
    labels = rng.integers(0, 2, 4000).astype(np.int8)
    right = np.where(labels == 1, rng.random(4000) < 0.9, rng.random(4000) < 0.8)
    rates = [right[labels == kind].mean() for kind in (1, 0)]
    played = challenge.expected_reward(labels, np.where(right, labels, 1 - labels))
    assert resampling.reward(*rates) == pytest.approx(played, abs=0.01)


def views(rng: np.random.Generator, families: int, size: int) -> tuple[np.ndarray, ...]:
    """Families whose views are alike: what a model gets right in one it mostly gets right in all."""
    family = np.repeat(np.arange(families), size)
    labels = np.repeat(rng.integers(0, 2, families), size).astype(np.int8)
    sides = []
    for share in (0.86, 0.8):
        whole = np.repeat(rng.random(families) < share, size)
        own = rng.random(families * size) < share
        right = np.where(rng.random(families * size) < 0.8, whole, own)
        sides.append(np.where(right, labels, 1 - labels).astype(float))
    return labels, *sides, family


def test_alike_views_do_not_fool_the_bootstrap() -> None:
    rng = np.random.default_rng(9)
    truth = np.mean([_difference(*views(rng, 4000, 5)) for _ in range(10)])
    found = [resampling.mcc_difference(*views(rng, 150, 5), rounds=300, seed=1) for _ in range(600)]
    coverage = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.93 <= coverage <= 0.97
    forgetful = [
        resampling.mcc_difference(*views(rng, 150, 5)[:3], np.arange(750), rounds=200, seed=1)
        for _ in range(200)
    ]
    assert (
        np.mean([one.low <= truth <= one.high for one in forgetful]) < 0.85
    )  # what forgetting them would do


def _difference(labels: np.ndarray, ours: np.ndarray, theirs: np.ndarray, _: np.ndarray) -> float:
    return scores.mcc(labels, ours) - scores.mcc(labels, theirs)


def test_without_families_it_is_scipys_bootstrap() -> None:
    labels, ours, theirs, _ = views(np.random.default_rng(10), 300, 1)

    def difference(rows: np.ndarray) -> float:
        return _difference(labels[rows], ours[rows], theirs[rows], rows)

    rows = (np.arange(300),)
    theirs_says = stats.bootstrap(
        rows, difference, n_resamples=2000, vectorized=False, method="percentile", rng=1
    ).confidence_interval
    found = resampling.mcc_difference(labels, ours, theirs, np.arange(300), rounds=2000, seed=1)
    assert found.low == pytest.approx(theirs_says.low, abs=0.015)
    assert found.high == pytest.approx(theirs_says.high, abs=0.015)


def test_both_differences_come_of_the_same_draws_and_are_the_same_every_time() -> None:
    one = views(np.random.default_rng(11), 200, 2)
    found = resampling.differences(*one, rounds=300, seed=5)
    assert found == resampling.differences(*one, rounds=300, seed=5)
    assert found.mcc == resampling.mcc_difference(*one, rounds=300, seed=5)
    assert found.reward.low < found.reward.high


def test_painted_and_real_challenges_count_half_each_however_many_there_are() -> None:
    painted = np.arange(1000) < 100
    weights = resampling.halves(painted)
    assert weights[painted].sum() == pytest.approx(500) and weights.sum() == pytest.approx(1000)
    assert (resampling.halves(painted[:100]) == 1).all() and (resampling.halves(painted[100:]) == 1).all()

    labels = (np.arange(1000) % 2).astype(np.int8)
    theirs, ours = labels.astype(float), np.where(painted, 1 - labels, labels).astype(float)
    found = resampling.differences(labels, ours, theirs, np.arange(1000), 400, 1, weights)
    # All of the painted ones wrong: half of the answers, so that nothing is known.
    assert found.mcc.low < -1 < found.mcc.high
    plain = resampling.differences(labels, ours, theirs, np.arange(1000), 400, 1)
    assert plain.mcc.low > -0.3
