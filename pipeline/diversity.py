"""Picks that differ: greedy k-center on vectors."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


def farthest_first(vectors: Vectors, count: int) -> list[int]:
    """Rows, the first one first; each next pick is the one least like all picked before."""
    if count == 0:
        return []
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    picked = [0]
    nearest = unit @ unit[0]
    while len(picked) < count:
        nearest[picked[-1]] = np.inf
        picked.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, unit @ unit[picked[-1]])
        nearest[picked] = np.inf
    return picked
