"""What a picture is worth looking at for, as a number: functions of arrays and of nothing else.

`similarity` holds a row per picture, of `neighbours.nearest` or `neighbours.others`: the most similar first.
A label is 0 or 1, and NaN where nobody has said; what needs one is NaN without it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import neighbours
from pipeline.neighbours import Floats

Numbers = NDArray[np.float64]

NEAREST = (0.6, 0.3, 0.1)  # how much each of the three nearest says about uniqueness, as FiftyOne weighs them


def both(p: Floats) -> Numbers:
    """The probability of one class as probabilities of two, [N] -> [N, 2]; what has classes already stays."""
    yes = np.asarray(p, np.float64)
    return np.stack([1 - yes, yes], axis=1) if yes.ndim == 1 else yes


def margin(p: Floats) -> Numbers:
    """How near the two likeliest of [N] or [N, C] are to each other: 1 on the fence, 0 where sure."""
    top = np.partition(both(p), -2, axis=1)[:, -2:]
    closeness: Numbers = 1 - (top[:, 1] - top[:, 0])
    return closeness


def entropy(p: Floats) -> Numbers:
    """Of the answer [N] or [N, C], in nats: ln C where nothing is known, 0 where sure."""
    found: Numbers = -_x_log_x(both(p)).sum(axis=1)
    return found


def mistakenness(p: Floats, label: Floats) -> Numbers:
    """1 for a sure answer against the label, 0 for a sure one that agrees, near 1/2 where unsure."""
    said = np.asarray(label, np.float64)
    sure = np.exp(-entropy(p)) / 2
    wrong = (np.asarray(p) > 0.5) != (said == 1)
    return np.where(np.isnan(said), np.nan, np.where(wrong, 0.5 + sure, 0.5 - sure))


def uniqueness(similarity: Floats) -> Numbers:
    """Weighted cosine distance to the three nearest others: 0 for a copy, about 1 for what is like nothing.

    Not scaled by the largest, so numbers of two nights can be compared.
    """
    near = 1 - np.asarray(similarity[:, : len(NEAREST)], np.float64)
    weight = np.array(NEAREST[: near.shape[1]])
    if not len(weight):
        return np.ones(len(near))
    found: Numbers = near @ weight / weight.sum()
    return found


def novelty(queries: Floats, seen: Floats, k: int) -> Numbers:
    """Cosine distance to the k-th nearest of all that was seen; 1 where nothing was."""
    _, similarity = neighbours.nearest(queries, seen, k)
    if similarity.shape[1] == 0:
        return np.ones(len(queries))
    return 1 - np.asarray(similarity[:, -1], np.float64)


def typicality(similarity: Floats) -> Numbers:
    """Mean similarity to the nearest: high where pictures crowd."""
    if similarity.shape[1] == 0:
        return np.zeros(len(similarity))
    found: Numbers = np.asarray(similarity, np.float64).mean(axis=1)
    return found


def representativeness(vectors: Floats, centres: Floats) -> Numbers:
    """How near its nearest centre is: 1 at it, 0 for the picture of that centre that is farthest away."""
    squares = _squared_distances(np.asarray(vectors, np.float64), np.asarray(centres, np.float64))
    own, away = squares.argmin(axis=1), np.sqrt(squares.min(axis=1))
    farthest = np.zeros(len(centres))
    np.maximum.at(farthest, own, away)
    share: Numbers = away / np.where(farthest[own] > 0, farthest[own], 1)
    return 1 - share


def _x_log_x(x: Numbers) -> Numbers:
    found: Numbers = x * np.log(np.where(x > 0, x, 1))
    return found


def _squared_distances(one: NDArray[Any], other: NDArray[Any]) -> Numbers:
    apart: Numbers = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.maximum(apart, 0, out=apart)
