"""What a model is worth on labelled answers, and whether its p means what it says."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int8]
Scores = NDArray[np.float64]
Curve = NDArray[np.float64]
BINS = 15
DRAWS = 500


def accuracy(labels: Labels, p: Scores) -> float:
    return float(np.mean((p > 0.5) == labels))


def balanced_accuracy(labels: Labels, p: Scores) -> float:
    said = p > 0.5
    return float(np.mean([np.mean(said[labels == kind] == kind) for kind in np.unique(labels)]))


def confusion(labels: Labels, p: Scores) -> dict[str, int]:
    said, true = p > 0.5, labels == 1
    return {
        "hits": int((said & true).sum()),
        "misses": int((~said & true).sum()),
        "rejections": int((~said & ~true).sum()),
        "alarms": int((said & ~true).sum()),
    }


def mcc(labels: Labels, p: Scores) -> float:
    found = confusion(labels, p)
    return float(matthews(*(np.array(found[key]) for key in ("hits", "misses", "rejections", "alarms"))))


def matthews(hits: Any, misses: Any, rejections: Any, alarms: Any) -> NDArray[np.float64]:
    """0 where all labels or all answers are the same: then nothing is known."""
    scale = np.sqrt(
        np.asarray(hits + alarms, np.float64)
        * (hits + misses)
        * (rejections + alarms)
        * (rejections + misses)
    )
    agreement = np.asarray(hits, np.float64) * rejections - np.asarray(alarms, np.float64) * misses
    found: NDArray[np.float64] = np.divide(agreement, scale, out=np.zeros_like(scale), where=scale > 0)
    return found


def roc(labels: Labels, p: Scores) -> tuple[Curve, Curve]:
    """False and true positive rates, from the strictest threshold to the loosest; equal p's go together."""
    hits, alarms = _steps(labels, p)
    return alarms / max(alarms[-1], 1), hits / max(hits[-1], 1)


def precision_recall(labels: Labels, p: Scores) -> tuple[Curve, Curve]:
    hits, alarms = _steps(labels, p)
    return hits[1:] / np.maximum(hits[-1], 1), hits[1:] / (hits[1:] + alarms[1:])


def _steps(labels: Labels, p: Scores) -> tuple[Curve, Curve]:
    order = np.argsort(-p, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    hits = np.cumsum(labels[order] == 1)[ends]
    return np.append(0.0, hits), np.append(0.0, ends + 1 - hits)


def auc(labels: Labels, p: Scores) -> float:
    alarms, hits = roc(labels, p)
    return float(np.trapezoid(hits, alarms))


def reliability(labels: Labels, p: Scores) -> list[tuple[float, float, int]]:
    """Per bin that holds any: the mean p, the share of positives, and how many."""
    bins = _bins(p)
    counts = np.bincount(bins, minlength=BINS)
    claimed, found = np.bincount(bins, p, BINS), np.bincount(bins, labels == 1, BINS)
    return [(float(claimed[i] / n), float(found[i] / n), int(n)) for i, n in enumerate(counts) if n]


def calibration_error(labels: Labels, p: Scores) -> float:
    """Of the confidence in what was answered, as ECE is meant: max(p, 1 - p) against being right."""
    return float(_errors(p, ((p > 0.5) == (labels == 1))[None])[0])


def calibration_null(p: Scores, seed: int) -> float:
    """The error that a perfectly calibrated model with just these p's stays under in 95 of 100 cases."""
    confident = np.maximum(p, 1 - p)
    right = np.random.default_rng(seed).random((DRAWS, len(p))) < confident
    return float(np.quantile(_errors(p, right), 0.95))


def _errors(p: Scores, right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A row of `right` per draw."""
    confident = np.maximum(p, 1 - p)
    member = np.eye(BINS)[_bins(confident)]
    gaps: NDArray[np.float64] = np.abs((right - confident) @ member).sum(axis=1) / len(p)
    return gaps


def _bins(p: Scores) -> NDArray[np.intp]:
    return np.minimum((p * BINS).astype(np.intp), BINS - 1)
