"""How much a figure could have come out otherwise: whole families drawn again and again, with replacement."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import RegularGridInterpolator

from pipeline import challenge
from pipeline.gate.paired import Interval
from pipeline.gate.scores import Labels, Scores, matthews

Numbers = NDArray[np.float64]
LEVEL = 0.95
KNOTS = 6
STREAM = 400  # answers that stand for a pair of rates when its reward is asked


@dataclass(frozen=True)
class Differences:
    """Challenger minus champion, 95 % percentile intervals."""

    mcc: Interval
    reward: Interval


def differences(
    labels: Labels,
    challenger: Scores,
    champion: Scores,
    families: ArrayLike,
    rounds: int,
    seed: int,
    weights: Numbers | None = None,
) -> Differences:
    """Views of one family are no independent witnesses: they are drawn together."""
    ours, theirs = (counted(labels, p, families, weights) for p in (challenger, champion))
    draws = drawn(len(ours), rounds, seed)
    sides = [draws @ side for side in (ours, theirs)]
    mccs = [matthews(*side.T) for side in sides]
    earned = _rewards([_rates(side) for side in sides])
    return Differences(_percentiles(mccs[0] - mccs[1]), _percentiles(earned[0] - earned[1]))


def earned(labels: Labels, p: Scores, families: ArrayLike, rounds: int, seed: int) -> Interval:
    """Of the reward of one model by itself."""
    counts = counted(labels, p, families)
    return _percentiles(_rewards([_rates(drawn(len(counts), rounds, seed) @ counts)])[0])


def mcc_difference(
    labels: Labels, challenger: Scores, champion: Scores, families: ArrayLike, rounds: int, seed: int
) -> Interval:
    """The MCC alone, for who asks thousands of times."""
    ours, theirs = (counted(labels, p, families) for p in (challenger, champion))
    draws = drawn(len(ours), rounds, seed)
    return _percentiles(matthews(*(draws @ ours).T) - matthews(*(draws @ theirs).T))


def halves(first: NDArray[np.bool_]) -> Numbers:
    """Weights with a mean of 1 under which the rows of `first` count as much as all others together."""
    share = float(first.mean())
    if share in (0, 1):
        return np.ones(len(first))
    weights: Numbers = np.where(first, 0.5 / share, 0.5 / (1 - share))
    return weights


def counted(labels: Labels, p: Scores, families: ArrayLike, weights: Numbers | None = None) -> Numbers:
    """A row per family: its hits, misses, rejections and alarms."""
    each = np.ones(len(labels)) if weights is None else weights
    _, row = np.unique(np.asarray(families), return_inverse=True)
    said, true = p > 0.5, labels == 1
    kinds = (said & true, ~said & true, ~said & ~true, said & ~true)
    return np.stack([np.bincount(row, kind * each) for kind in kinds], axis=1).astype(np.float64)


@lru_cache(maxsize=1)
def drawn(families: int, rounds: int, seed: int) -> Numbers:
    """How often each family comes in each round; never written to, for it is kept."""
    even = np.full(families, 1 / families)
    return np.random.default_rng(seed).multinomial(families, even, size=rounds).astype(np.float64)


def _percentiles(values: Numbers) -> Interval:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return Interval(float(low), float(high))


def _rates(counts: Numbers) -> Numbers:
    """True positive and true negative rate of each round: all that the reward hangs on."""
    hits, misses, rejections, alarms = counts.T
    return np.stack(
        [hits / np.maximum(hits + misses, 1), rejections / np.maximum(rejections + alarms, 1)], axis=1
    )


def _rewards(sides: list[Numbers]) -> list[Numbers]:
    """By interpolation between a few pairs of rates: playing a stream for every round would take minutes."""
    both = np.concatenate(sides)
    low, high = both.min(axis=0) - 1e-6, both.max(axis=0) + 1e-6
    axes = [np.linspace(a, b, KNOTS) for a, b in zip(low, high, strict=True)]
    table = [[reward(positive, negative) for negative in axes[1]] for positive in axes[0]]
    surface = RegularGridInterpolator(axes, np.array(table))
    return [surface(side) for side in sides]


def reward(positive: float, negative: float) -> float:
    """What a model with these true positive and true negative rates is paid per challenge."""
    kinds = [_answers(min(max(rate, 0.0), 1.0)) for rate in (positive, negative)]
    labels = np.repeat([1, 0], STREAM)
    return challenge.expected_reward(labels, np.concatenate([kinds[0], 1 - kinds[1]]))


def _answers(right: float) -> Numbers:
    return np.where(np.arange(STREAM) < round(right * STREAM), 1.0, 0.0)
