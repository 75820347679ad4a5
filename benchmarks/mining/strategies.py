"""Who asks for which labels: five strategies of the literature, and what the stage `mine` does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import neighbours, scores
from pipeline.mine import asked, blind, criteria
from pipeline.mine.clusters import clustered
from pipeline.params import Criterion, Mine

Numbers = NDArray[np.float64]
Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Moment:
    """What a strategy may know before it asks."""

    vectors: Vectors  # of the whole pool, as the backbone gives them
    scaled: NDArray[np.floating]  # as the learner sees them
    asked: Rows  # rows whose labels are known, and what was said of them
    labels: NDArray[np.int64]
    classes: int
    p: Numbers | None  # what the learner says of the pool; nothing before the first labels
    seed: int

    @property
    def free(self) -> Rows:
        return np.setdiff1d(np.arange(len(self.vectors)), self.asked)

    @property
    def dice(self) -> np.random.Generator:
        return np.random.default_rng((self.seed, len(self.asked)))


Strategy = Callable[[Moment, int], Rows]


def by_chance(now: Moment, count: int) -> Rows:
    return now.dice.choice(now.free, min(count, len(now.free)), replace=False)


def margin(now: Moment, count: int) -> Rows:
    if now.p is None:
        return by_chance(now, count)
    unsure = scores.margin(now.p[now.free])
    return now.free[np.argsort(-unsure, kind="stable")[:count]]


def k_center(now: Moment, count: int) -> Rows:
    """The row that is farthest from all known ones, again and again (Sener and Savarese, 2018)."""
    first = [int(now.dice.integers(len(now.scaled)))] if not len(now.asked) else []
    nearest = _apart(now.scaled, [*now.asked, *first]).min(axis=1)
    rows = list(first)
    while len(rows) < count:
        nearest[[*now.asked, *rows]] = -1
        rows.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, _apart(now.scaled, rows[-1:])[:, 0])
    return np.array(rows)


def badge(now: Moment, count: int) -> Rows:
    """k-means++ on the gradients that the likeliest labels would have (Ash and others, 2020)."""
    if now.p is None:
        return by_chance(now, count)
    free = now.free
    error = now.p[free] - np.eye(now.classes)[now.p[free].argmax(axis=1)]
    seen = np.hstack([now.scaled[free], np.ones((len(free), 1), np.float32)])
    length = (error**2).sum(axis=1) * (seen**2).sum(axis=1)
    rows = [int(np.argmax(length))]
    distance, dice = np.full(len(free), np.inf), now.dice
    while len(rows) < min(count, len(free)):
        # A gradient is an outer product, so two of them meet in the product of two numbers.
        meet = (error @ error[rows[-1]]) * (seen @ seen[rows[-1]])
        distance = np.minimum(distance, np.maximum(length + length[rows[-1]] - 2 * meet, 0))
        distance[rows] = 0
        chance = distance if distance.sum() > 0 else np.isin(np.arange(len(free)), rows, invert=True) * 1.0
        rows.append(int(dice.choice(len(free), p=chance / chance.sum())))
    found: Rows = free[rows]
    return found


def typiclust(now: Moment, count: int) -> Rows:
    """The most typical row of each of the largest clusters that hold no label (Hacohen and others, 2022)."""
    centred = now.vectors - now.vectors.mean(axis=0)
    known, small = np.isin(np.arange(len(centred)), now.asked), 5
    # Clusters of fewer than five count for nothing, so there must not be too many of them.
    total = min(len(now.asked) + count, len(centred) // 8)
    cluster = clustered(neighbours.unit(centred), np.ones(len(centred)), total, now.seed)
    size, held = np.bincount(cluster, minlength=total), np.bincount(cluster[known], minlength=total)
    rows: list[int] = []
    while len(rows) < count:
        open_to = np.bincount(cluster[~known], minlength=total) > 0
        open_to &= (size >= small) | ~(open_to & (size >= small)).any()
        best = min(np.flatnonzero(open_to), key=lambda one: (held[one], -size[one]))
        inside = np.flatnonzero(cluster == best)
        _, similarity = neighbours.others(centred[inside], 20)
        rows.append(int(inside[np.argmax(np.where(known[inside], -9, scores.typicality(similarity)))]))
        known[rows[-1]] = True
        held[best] += 1
    return np.array(rows)


def ours(params: Mine) -> Strategy:
    """What the stage does with these params, where the journal has one voice and pictures have no tags."""

    def strategy(now: Moment, count: int) -> Rows:
        free = now.free
        names = pl.DataFrame({"image": [f"{row:06d}" for row in free], "row": free})
        at_random = blind.drawn(names, round(count * params.random), now.seed + len(now.asked))[
            "row"
        ].to_numpy()
        rest = np.setdiff1d(free, at_random)
        picks = asked.chosen(
            now.vectors[rest],
            now.vectors[now.asked],
            lambda: _scores(now, rest, params),
            params.model_copy(update={"seed": now.seed + len(now.asked)}),
            min(count, len(free)) - len(at_random),
        )
        return np.concatenate([at_random, rest[picks.rows]]).astype(np.int64)

    return strategy


def _scores(now: Moment, rest: Rows, params: Mine) -> Mapping[Criterion, Numbers]:
    assert now.p is not None
    p, vectors, known = now.p[rest], now.vectors[rest], now.vectors[now.asked]
    told: Mapping[Criterion, Callable[[], Numbers]] = {
        "margin": lambda: scores.margin(p),
        "entropy": lambda: criteria.entropy(p),
        "neighbours": lambda: criteria.contradiction(
            p, criteria.vote(vectors, known, now.labels, now.classes)
        ),
        "novelty": lambda: criteria.novelty(vectors, known),
        "rarity": lambda: criteria.rarity(vectors),
    }
    return {name: told[name]() for name, share in params.quotas.items() if share and name in told}


def _apart(vectors: NDArray[np.floating], rows: list[int]) -> NDArray[np.floating]:
    """Squared distances of all rows to the given ones."""
    squares = np.einsum("ij,ij->i", vectors, vectors)
    found: NDArray[np.floating] = squares[:, None] + squares[rows] - 2 * (vectors @ vectors[rows].T)
    return found
