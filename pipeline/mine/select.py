"""Which of the waiting pictures people are asked about: a quota per criterion, diverse, one of each burst."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline import neighbours
from pipeline.mine.clusters import clustered

Numbers = NDArray[np.float64]
Vectors = NDArray[np.floating]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Name = TypeVar("Name", bound=str)


@dataclass
class Picks:
    rows: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def add(self, reason: str, rows: Rows, scores: Numbers) -> None:
        self.rows += rows.tolist()
        self.reasons += [reason] * len(rows)
        self.scores += scores.tolist()


def bursts(vectors: Vectors, known: Vectors, at_least: float) -> tuple[Rows, Mask]:
    """Of each row the number of its burst, and whether a known picture belongs to that burst, too."""
    groups = neighbours.alike(vectors, at_least)
    like_known, _ = neighbours.between(vectors, known, at_least)
    return groups, np.isin(groups, groups[like_known])


def picked(
    vectors: Vectors,
    scores: Mapping[Name, Numbers],
    quotas: Mapping[Name, float],
    count: int,
    groups: Rows,
    done: Mask,
    width: float,
    seed: int,
) -> Picks:
    """`count` rows, or as many as there are bursts that are not done.

    Each criterion fills its quota in the order given; what one lacks, the first gets.
    """
    picks, closed = Picks(), np.isin(groups, groups[done])
    wanted = dict(zip(quotas, portions(list(quotas.values()), count), strict=True))
    order = [*wanted, *list(wanted)[:1]]
    for turn, reason in enumerate(order):
        last = turn == len(wanted)
        places = count - len(picks.rows) if last else wanted[reason]
        best = representatives(scores[reason], groups, ~closed)
        rows = diverse(vectors, scores[reason], best[: round(places * width)], places, seed + turn)
        picks.add(reason, rows, scores[reason][rows])
        closed |= np.isin(groups, groups[rows])
    return picks


def portions(shares: list[float], count: int) -> list[int]:
    """Whole numbers that sum to `count`, as near to the shares as can be; the earlier first where equal."""
    exact = np.array(shares, np.float64) / max(sum(shares), 1e-12) * count
    whole = np.floor(exact + 1e-9).astype(np.int64)
    missing = count - int(whole.sum()) if sum(shares) else 0
    whole[np.argsort(whole - exact, kind="stable")[:missing]] += 1
    return [int(places) for places in whole]


def representatives(score: Numbers, groups: Rows, free: Mask) -> Rows:
    """Of each burst its highest row, the highest first; rows without a score stand for nothing."""
    rows = np.flatnonzero(free & (score > 0))
    ordered = rows[np.argsort(-score[rows], kind="stable")]
    _, first = np.unique(groups[ordered], return_index=True)
    return ordered[np.sort(first)]


def diverse(vectors: Vectors, score: Numbers, best: Rows, count: int, seed: int) -> Rows:
    """The highest of each of `count` clusters, then the highest of all, until there are enough."""
    if count >= len(best):
        return best[:count]
    if count == 0:
        return best[:0]
    cluster = clustered(neighbours.unit(vectors[best]), score[best], count, seed)
    # `best` is in falling order, so the first of a cluster is its highest.
    _, heads = np.unique(cluster, return_index=True)
    chosen = np.zeros(len(best), bool)
    chosen[heads] = True
    spare = np.flatnonzero(~chosen)[: count - len(heads)]
    chosen[spare] = True
    return best[chosen]
