"""Whether what comes in still looks like what came before.

Scores by the population stability index over the deciles of the reference; vectors by a classifier two-sample
test (Lopez-Paz and Oquab, 2017): a linear model learns to tell new from old, and what it reaches on pictures
that it has not seen is the size of the difference. No difference is an AUC of one half.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline import linear

Numbers = NDArray[np.float64]
Vectors = NDArray[np.float32]

FOLDS = 5
DECAY = 0.1
SEED = 72
BINS = 10


@dataclass(frozen=True)
class Told:
    """`auc` .5 is no difference; `p` is its chance if there were none."""

    new: int
    old: int
    auc: float
    p: float


def stability(old: Numbers, new: Numbers) -> float:
    """Under .1 nothing moved, over .25 much did: the bank's rule of thumb, and no test."""
    edges = np.unique(np.quantile(old, np.linspace(0, 1, BINS + 1)[1:-1]))
    before, after = (
        _shares(np.searchsorted(edges, side, side="right"), len(edges) + 1) for side in (old, new)
    )
    return float(np.sum((after - before) * np.log(after / before)))


def _shares(bins: NDArray[np.intp], count: int) -> Numbers:
    """Half a picture in every bin, so that an empty one is no infinity."""
    found = np.bincount(bins, minlength=count) + 0.5
    return np.asarray(found / found.sum(), np.float64)


def told_apart(old: Vectors, new: Vectors) -> Told:
    vectors = np.concatenate([old, new])
    side = np.concatenate([np.zeros(len(old), np.int8), np.ones(len(new), np.int8)])
    fold = np.random.default_rng(SEED).permutation(len(side)) % FOLDS
    score = np.zeros(len(side))
    for held in range(FOLDS):
        seen = fold != held
        model = linear.fit(vectors[seen], side[seen], np.ones(int(seen.sum())), DECAY)
        score[~seen] = model.logits(vectors[~seen])
    auc, p = _ranked(score[side == 0], score[side == 1])
    return Told(len(new), len(old), auc, p)


def _ranked(old: Numbers, new: Numbers) -> tuple[float, float]:
    found = stats.mannwhitneyu(new, old, alternative="greater")
    return float(found.statistic) / (len(old) * len(new)), float(found.pvalue)
