"""Who is like whom, by the cosine of their vectors: exact, and block by block, so that memory stays bounded.

Vectors may be of any float type and lie in a mapped file; a block at a time becomes float32. A similarity is
right to about 1e-6. A vector of zeros is like nothing, itself included.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Unit = NDArray[np.float32]
Rows = NDArray[np.int64]

# 1024 x 8192 similarities are 32 MB, and the product of such blocks runs as fast as that of larger ones.
QUERIES, POOL = 1024, 8192
CROWD = 4  # times k hits per query: beyond that the sort of all hits costs more than a partition first
EDGES = 1 << 20  # pairs that wait before they are folded into groups


def nearest(queries: Floats, pool: Floats, k: int) -> tuple[Rows, Unit]:
    """Of each query the rows of the pool most like it and their similarity, the most similar first.

    Of equals the earlier row comes first. A pool smaller than k gives as many as it has.
    """
    k = min(k, len(pool))
    found = np.zeros((len(queries), k), np.int64)
    similarity = np.full((len(queries), k), -np.inf, np.float32)
    if k == 0:
        return found, similarity
    asked = unit(queries)
    for start, block in _blocks(pool, POOL):
        for at in range(0, len(asked), QUERIES):
            part = slice(at, at + QUERIES)
            _improve(found[part], similarity[part], asked[part] @ block.T, start)
    return found, np.clip(similarity, -1, 1)


def others(vectors: Floats, k: int) -> tuple[Rows, Unit]:
    """`nearest` of all rows among themselves, each without itself."""
    found, similarity = nearest(vectors, vectors, k + 1)
    itself = found == np.arange(len(vectors))[:, None]
    itself[~itself.any(axis=1), -1:] = True  # crowded out by as many equals: any of them makes room
    shape = (len(vectors), max(found.shape[1] - 1, 0))
    return found[~itself].reshape(shape), similarity[~itself].reshape(shape)


def pairs(vectors: Floats, at_least: float) -> tuple[Rows, Rows]:
    """All pairs of rows that are so similar, each once: left < right, in order."""
    return _sorted(_pairs(vectors, at_least))


def between(new: Floats, old: Floats, at_least: float) -> tuple[Rows, Rows]:
    """All pairs of a row of `new` and a row of `old` that are so similar, in order."""
    return _sorted(_between(new, old, at_least))


def groups(count: int, left: Rows, right: Rows) -> Rows:
    """Of each of `count` rows the first row of its group: what pairs join, directly or by others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    joined = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    _, label = connected_components(joined, directed=False)
    _, first, member = np.unique(label, return_index=True, return_inverse=True)
    return np.asarray(first[member], np.int64)


def alike(vectors: Floats, at_least: float) -> Rows:
    """`groups` of `pairs`, without ever holding all pairs: of n equal pictures there are n * n / 2."""
    first = np.arange(len(vectors))
    waiting: list[tuple[Rows, Rows]] = []
    for left, right in _pairs(vectors, at_least):
        waiting.append((left, right))
        if sum(len(rows) for rows, _ in waiting) > EDGES:
            first, waiting = _folded(first, waiting), []
    return _folded(first, waiting)


def unit(vectors: Floats) -> Unit:
    """Each of length one; zeros stay zeros."""
    exact: Unit = np.asarray(vectors, np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", exact, exact))[:, None]
    return np.divide(exact, np.where(length > 0, length, 1), dtype=np.float32)


def _blocks(vectors: Floats, size: int) -> Iterator[tuple[int, Unit]]:
    for start in range(0, len(vectors), size):
        yield start, unit(vectors[start : start + size])


def _improve(found: Rows, similarity: Unit, seen: Unit, start: int) -> None:
    """Puts what is seen in a block of the pool before what was found worse; in place."""
    k = found.shape[1]
    row, column = np.nonzero(_better(seen, similarity[:, -1:], k))
    if not len(row):
        return
    rows = np.concatenate([np.repeat(np.arange(len(found)), k), row])
    places = np.concatenate([found.ravel(), column + start])
    values = np.concatenate([similarity.ravel(), seen[row, column]])
    order = np.lexsort((places, -values, rows))
    begins = np.searchsorted(rows[order], np.arange(len(found)))
    best = order[(begins[:, None] + np.arange(k)).ravel()]
    found[:] = places[best].reshape(found.shape)
    similarity[:] = values[best].reshape(found.shape)


def _better(seen: Unit, worst: Unit, k: int) -> NDArray[np.bool_]:
    better = seen > worst
    if k < seen.shape[1] and np.count_nonzero(better) > CROWD * k * len(seen):
        better &= seen >= np.partition(seen, -k, axis=1)[:, -k, None]
    return better


def _pairs(vectors: Floats, at_least: float) -> Iterator[tuple[Rows, Rows]]:
    for start, block in _blocks(vectors, POOL):
        for left, right in _between(block, vectors[start:], at_least):
            later = right > left
            yield left[later] + start, right[later] + start


def _between(new: Floats, old: Floats, at_least: float) -> Iterator[tuple[Rows, Rows]]:
    asked = unit(new)
    for start, block in _blocks(old, POOL):
        for at in range(0, len(asked), QUERIES):
            left, right = np.nonzero(asked[at : at + QUERIES] @ block.T >= at_least)
            yield left + at, right + start


def _sorted(parts: Iterator[tuple[Rows, Rows]]) -> tuple[Rows, Rows]:
    found = [part for part in parts if len(part[0])]
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    left, right = (np.concatenate(side) for side in zip(*found, strict=True))
    order = np.lexsort((right, left))
    return left[order], right[order]


def _folded(first: Rows, waiting: list[tuple[Rows, Rows]]) -> Rows:
    if not waiting:
        return first
    left, right = (np.concatenate(side) for side in zip(*waiting, strict=True))
    rows = np.arange(len(first))
    return groups(len(first), np.concatenate([rows, left]), np.concatenate([first, right]))
