"""Scores: each against the sentence that says what it is, worked out one picture at a time."""

import math

import numpy as np
import pytest

from pipeline import neighbours, scores

RNG = np.random.default_rng(72)
P = np.concatenate([RNG.random(50), [0.0, 0.5, 1.0]])
LABEL = RNG.choice([0.0, 1.0, np.nan], len(P))
VECTORS = RNG.normal(size=(len(P), 8))


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def away(row: int, pool: np.ndarray) -> list[float]:
    """Cosine distances of a picture to all others, the nearest first."""
    return sorted(1 - cosine(VECTORS[row], pool[other]) for other in range(len(pool)) if other != row)


def test_margin_is_the_distance_from_the_sure_answers() -> None:
    assert scores.margin(P) == pytest.approx([2 * min(p, 1 - p) for p in P])


def test_entropy_is_scipys() -> None:
    from scipy.stats import entropy

    assert scores.entropy(P) == pytest.approx([entropy([p, 1 - p]) for p in P])


def test_mistakenness_is_how_surely_the_label_is_contradicted() -> None:
    for p, label, found in zip(P, LABEL, scores.mistakenness(P, LABEL), strict=True):
        if math.isnan(label):
            assert math.isnan(found)
        else:
            sure = math.exp(-scores.entropy(np.array([p]))[0])
            against = 1 if (p > 0.5) != (label == 1) else -1
            assert found == pytest.approx((against * sure + 1) / 2)


def test_uniqueness_weighs_the_three_nearest() -> None:
    found = scores.uniqueness(neighbours.others(VECTORS, 5)[1])
    for row in range(len(VECTORS)):
        first, second, third = away(row, VECTORS)[:3]
        assert found[row] == pytest.approx(0.6 * first + 0.3 * second + 0.1 * third, abs=1e-5)


def test_uniqueness_of_few() -> None:
    two = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert scores.uniqueness(neighbours.others(two, 3)[1]) == pytest.approx([1, 1])
    assert scores.uniqueness(neighbours.others(two[:1], 3)[1]) == pytest.approx([1])
    assert scores.uniqueness(neighbours.others(two[[0, 0, 1]], 1)[1]) == pytest.approx([0, 0, 1], abs=1e-6)


def test_novelty_is_the_distance_to_the_kth_seen() -> None:
    new, seen = VECTORS[:9], VECTORS[9:]
    found = scores.novelty(new, seen, 4)
    for row in range(9):
        assert found[row] == pytest.approx(sorted(1 - cosine(new[row], one) for one in seen)[3], abs=1e-5)
    assert scores.novelty(new, seen[:0], 4).tolist() == [1.0] * 9


def test_typicality_is_the_mean_similarity() -> None:
    found = scores.typicality(neighbours.others(VECTORS, 6)[1])
    assert found == pytest.approx([1 - np.mean(away(row, VECTORS)[:6]) for row in range(len(P))], abs=1e-5)
    assert scores.typicality(np.empty((3, 0))).tolist() == [0.0] * 3


def test_representativeness_is_high_at_a_centre() -> None:
    centres = VECTORS[:3]
    found = scores.representativeness(VECTORS, centres)
    apart = np.linalg.norm(VECTORS[:, None] - centres, axis=2)
    own = apart.argmin(axis=1)
    for row in range(len(VECTORS)):
        farthest = max(apart[other, own[row]] for other in range(len(VECTORS)) if own[other] == own[row])
        assert found[row] == pytest.approx(1 - apart[row, own[row]] / farthest if farthest else 1, abs=1e-6)
    assert found[:3] == pytest.approx([1, 1, 1], abs=1e-6)
