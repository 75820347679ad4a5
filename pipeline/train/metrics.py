"""What a head is worth on views it has not seen."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import challenge
from pipeline.train.views import Labels, Numbers

BINS = 15
# Figures are rounded to what could matter: the sixth digit of no metric does.
DIGITS = 6


def report(frame: pl.DataFrame, p: Numbers) -> dict[str, Any]:
    """All figures of the views in `frame`, whose probabilities are `p`; per slice, too."""
    labels: Labels = frame["label"].to_numpy()
    whole = {
        "views": len(p),
        "images": frame["image"].n_unique(),
        **agreement(labels, p),
        "auc": _rounded(auc(labels, p)),
        "expected_reward": _rounded(challenge.expected_reward(labels, p)),
        "ece": _rounded(calibration_error(labels, p)),
        "ece_null": _rounded(calibration_null(frame["image"].to_list(), p)),
    }
    slices = {name: _slice(labels[rows], p[rows]) for name, rows in _slices(frame)}
    return whole | {"slices": slices}


def _slice(labels: Labels, p: Numbers) -> dict[str, float | None]:
    return {"n": len(p), **agreement(labels, p)}


def agreement(labels: Labels, p: Numbers) -> dict[str, float | None]:
    """Figures of the answers, cut at 0.5; null where a class is missing."""
    said, true = p > 0.5, labels > 0
    right = said == true
    both = true.any() and not true.all()
    return {
        "accuracy": _rounded(right.mean()),
        "balanced_accuracy": _rounded((right[true].mean() + right[~true].mean()) / 2) if both else None,
        "mcc": _rounded(mcc(true, said)) if both else None,
    }


def mcc(true: NDArray[np.bool_], said: NDArray[np.bool_]) -> float:
    """0 where the answers are all the same: then nothing is known."""
    if true.std() == 0 or said.std() == 0:
        return 0.0
    return float(np.corrcoef(true, said)[0, 1])


def roc(labels: Labels, p: Numbers) -> tuple[Numbers, Numbers]:
    """False and true positive rates, from the strictest threshold to the loosest; equal p's go together."""
    order = np.argsort(-p, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    hits = np.cumsum(labels[order] > 0)[ends]
    alarms = ends + 1 - hits
    return np.append(0.0, alarms / alarms[-1]), np.append(0.0, hits / hits[-1])


def auc(labels: Labels, p: Numbers) -> float:
    alarms, hits = roc(labels, p)
    return float(np.trapezoid(hits, alarms))


def reliability(labels: Labels, p: Numbers) -> tuple[Numbers, Numbers, NDArray[np.int64]]:
    """Per bin that holds any: the mean p, the share of positives, and how many."""
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    held = counts > 0
    claimed = np.bincount(bins, p, BINS)[held] / counts[held]
    found = np.bincount(bins, labels > 0, BINS)[held] / counts[held]
    return claimed, found, counts[held]


def calibration_error(labels: Labels, p: Numbers) -> float:
    claimed, found, counts = reliability(labels, p)
    return float(np.abs(claimed - found) @ counts / counts.sum())


def calibration_null(images: Sequence[str], p: Numbers, rounds: int = 200) -> float:
    """What a perfectly calibrated model with these answers exceeds once in twenty times, by luck.

    The views of an image share its luck, as they share its label.
    """
    rng = np.random.default_rng(72)
    _, image = np.unique(images, return_inverse=True)
    luck = rng.random((rounds, image.max() + 1))
    return float(np.quantile([calibration_error((u[image] < p).astype(np.int8), p) for u in luck], 0.95))


def _slices(frame: pl.DataFrame) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for tag in sorted(frame["tags"].explode().drop_nulls().unique()):
        yield tag, frame["tags"].list.contains(tag).fill_null(False).to_numpy()
    for source in sorted(frame["source"].unique()):
        yield f"source {source}", (frame["source"] == source).to_numpy()
    levels = np.array([level_of(image, view) for image, view in frame.select("image", "view").iter_rows()])
    for level in sorted(set(levels) - {-1}):
        yield f"level {level}", levels == level


def level_of(image: str, view: str) -> int:
    """The challenge level of a view; -1 where its profile has none."""
    return challenge.level_of(challenge.seed_of(image, view)) if view.startswith("2026-01/") else -1


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)
