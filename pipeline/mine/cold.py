"""Before there is a champion worth asking: pictures that stand for many others."""

import numpy as np
from numpy.typing import NDArray

from pipeline import neighbours, scores
from pipeline.mine.clusters import clustered
from pipeline.mine.select import Picks

Numbers = NDArray[np.float64]
Vectors = NDArray[np.floating]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

K = 20  # neighbours that say how crowded a place is


def typical(vectors: Vectors, known: Vectors, groups: Rows, done: Mask, count: int, seed: int) -> Picks:
    """The most typical row of each cluster, the large ones that hold nothing known first.

    There are as many clusters as there would be labels; of a burst one row is looked at.
    """
    _, rows = np.unique(groups, return_index=True)
    rows = rows[~np.isin(groups[rows], groups[done])]
    crowded = typicality(vectors[rows])
    together = np.concatenate([vectors[rows], known]) if len(known) else vectors[rows]
    wanted = count + len(known)
    cluster = clustered(neighbours.unit(together), np.ones(len(together)), wanted, seed)
    mine, theirs = cluster[: len(rows)], cluster[len(rows) :]
    size, held = (np.bincount(part, minlength=wanted) for part in (mine, theirs))
    order = np.lexsort((-crowded, mine, -size[mine], held[mine]))
    _, heads = np.unique(mine[order], return_index=True)
    first = order[np.sort(heads)]
    best = np.concatenate([first, order[~np.isin(order, first)]])[:count]
    picks = Picks()
    picks.add("typical", rows[best], crowded[best])
    return picks


def typicality(vectors: Vectors) -> Numbers:
    _, similarity = neighbours.others(vectors, K)
    return scores.typicality(similarity)
