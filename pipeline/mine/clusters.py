"""Groups of like vectors: a small k-means whose outcome is a matter of the seed alone."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Vectors = NDArray[np.floating]
Rows = NDArray[np.int64]

TURNS = 8  # after that hardly a row changes its cluster


def clustered(vectors: Vectors, weights: Numbers, count: int, seed: int) -> Rows:
    """Of each row the number of its cluster; heavy rows pull the centres towards them.

    There are `count` clusters, or as many as there are rows; some may be empty where rows are equal.
    """
    count = min(count, len(vectors))
    if count == 0:
        return np.zeros(0, np.int64)
    exact = np.asarray(vectors, np.float32)
    squares = np.einsum("ij,ij->i", exact, exact)
    centres = exact[_seeds(exact, squares, weights, count, np.random.default_rng(seed))]
    nearest = _nearest(exact, centres)
    for _ in range(TURNS):
        centres = _means(exact, weights, nearest, centres)
        nearest = _nearest(exact, centres)
    return nearest


def _seeds(
    vectors: NDArray[np.float32],
    squares: NDArray[np.float32],
    weights: Numbers,
    count: int,
    dice: np.random.Generator,
) -> list[int]:
    """The heaviest row first, each next one drawn by its weight and its squared distance to those before."""
    drawn = [int(np.argmax(weights))]
    distance = np.full(len(vectors), np.inf)
    while len(drawn) < count:
        last = drawn[-1]
        distance = np.minimum(distance, squares + squares[last] - 2 * (vectors @ vectors[last]))
        distance[drawn] = 0
        chance = np.maximum(distance, 0) * weights
        total = chance.sum()
        if total <= 0:  # only equals are left
            break
        drawn.append(int(dice.choice(len(vectors), p=chance / total)))
    return drawn


def _nearest(vectors: NDArray[np.float32], centres: NDArray[np.float32]) -> Rows:
    squares = np.einsum("ij,ij->i", centres, centres)
    found: Rows = np.argmin(squares[None] - 2 * (vectors @ centres.T), axis=1)
    return found


def _means(
    vectors: NDArray[np.float32], weights: Numbers, nearest: Rows, centres: NDArray[np.float32]
) -> NDArray[np.float32]:
    from scipy.sparse import csr_array

    shape = (len(centres), len(vectors))
    member = csr_array((weights, (nearest, np.arange(len(vectors)))), shape=shape)
    total = np.bincount(nearest, weights, minlength=len(centres))[:, None]
    mean = (member @ vectors) / np.maximum(total, 1e-12)
    return np.where(total > 0, mean, centres).astype(np.float32)
