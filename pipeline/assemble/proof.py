"""Does a painter's batch help? Asked each night of real pictures, before anything learns from it.

The same real data is learned with and without the batch, family by family held out, and both models answer
what they have not seen. What is compared are the two losses of one picture, so its difficulty drops out.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import features, linear, samples
from pipeline.params import Backbone, Proof
from pipeline.progress import say

FOLDS = 5
DECAY = 0.1
SURE = 1.645  # standard errors to either end of a 90 % interval
# A tag belongs to a batch's slice when the batch holds it this many times as often as real pictures do.
LIFT = 1.5

Numbers = NDArray[np.float64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Finding:
    """Gains are nats of loss per real picture, above zero where the batch helped."""

    painter: str
    painted: int
    real: int
    gain: float
    low: float
    high: float
    tags: tuple[str, ...]  # the slice that was painted for
    slice_real: int
    slice_gain: float | None
    left_out: str | None  # why


def proven(
    table: pl.DataFrame, params: Proof, weight: float, backbone: Backbone
) -> tuple[pl.DataFrame, list[Finding]]:
    """The table without the batches that do not help tonight, and what was found of each."""
    real = table.filter(pl.col("parent").is_null() & pl.col("split").is_in(["train", "dev"]))
    painters = table.filter(pl.col("parent").is_not_null())["source"].unique().sort().to_list()
    if not painters or real.height < params.rows or real["label"].n_unique() < 2:
        return table, []
    contest = _Contest(real, weight, backbone)
    findings = [contest.judge(table.filter(source=name), params) for name in painters]
    for finding in findings:
        say(f"assemble: {finding.painter}: {told(finding)}")
    gone = [finding.painter for finding in findings if finding.left_out]
    return table.filter(pl.col("parent").is_null() | ~pl.col("source").is_in(gone)), findings


def told(finding: Finding) -> str:
    gain = (
        f"gain {finding.gain:+.4f} [{finding.low:+.4f}, {finding.high:+.4f}] on {finding.real} real pictures"
    )
    if finding.slice_gain is not None:
        gain += f", {finding.slice_gain:+.4f} on {finding.slice_real} of {' '.join(finding.tags)}"
    return f"{gain}; left out tonight: it {finding.left_out}" if finding.left_out else f"{gain}; kept"


def write(findings: Sequence[Finding], file: Path) -> None:
    file.write_text(json.dumps([asdict(finding) for finding in findings], indent=2))


class _Contest:
    """Real pictures, and what a model learns of them alone."""

    def __init__(self, real: pl.DataFrame, weight: float, backbone: Backbone) -> None:
        self._real, self._weight, self._backbone = real, weight, backbone
        self._vectors = _vectors(real, backbone)
        self._labels = real["label"].to_numpy()
        self._folds = _folds(real)
        self._alone = self._losses(self._vectors[:0], self._labels[:0], self._folds[:0])

    def judge(self, batch: pl.DataFrame, params: Proof) -> Finding:
        beside = self._losses(_vectors(batch, self._backbone), batch["label"].to_numpy(), _folds(batch))
        gains = self._alone - beside
        gain, low, high = _interval(gains, self._real["family"])
        tags = aimed(batch["tags"], self._real["tags"])
        within = self._real["tags"].list.set_intersection(list(tags)).list.len().fill_null(0).to_numpy() > 0
        enough = within.sum() >= params.slice_rows and len(set(self._labels[within])) == 2
        on_slice = float(gains[within].mean()) if enough else None
        return Finding(
            painter=batch["source"][0],
            painted=batch.height,
            real=self._real.height,
            gain=round(gain, 4),
            low=round(low, 4),
            high=round(high, 4),
            tags=tags,
            slice_real=int(within.sum()),
            slice_gain=None if on_slice is None else round(on_slice, 4),
            left_out=verdict(high, on_slice),
        )

    def _losses(self, painted: Vectors, labels: NDArray[np.int8], folds: NDArray[np.int64]) -> Numbers:
        """Of each real picture under a model that saw neither it nor any of its family."""
        found = np.empty(len(self._labels))
        for fold in range(FOLDS):
            held, seen, beside = self._folds == fold, self._folds != fold, folds != fold
            vectors = np.concatenate(
                [self._vectors[seen], painted[beside].reshape(-1, self._vectors.shape[1])]
            )
            weights = np.concatenate([np.ones(seen.sum()), np.full(beside.sum(), self._weight)])
            model = linear.fit(vectors, np.concatenate([self._labels[seen], labels[beside]]), weights, DECAY)
            found[held] = linear.losses(model.logits(self._vectors[held]), self._labels[held])
        return found


def verdict(high: float, on_slice: float | None) -> str | None:
    if high < 0:
        return "hurts on real pictures"
    return "does not help the slice it was painted for" if on_slice is not None and on_slice <= 0 else None


def aimed(painted: pl.Series, real: pl.Series) -> tuple[str, ...]:
    """Tags that the batch holds much more often than real pictures do, and real pictures do hold."""
    usual = dict(_shares(real))
    return tuple(sorted(tag for tag, share in _shares(painted) if 0 < LIFT * usual.get(tag, 0) <= share))


def _shares(tags: pl.Series) -> Iterator[tuple[str, float]]:
    for tag, count in tags.explode().drop_nulls().value_counts().iter_rows():
        yield tag, count / len(tags)


def _interval(gains: Numbers, families: pl.Series) -> tuple[float, float, float]:
    """The mean and its 90 % interval; pictures of a family are one piece of evidence."""
    by_family = pl.DataFrame({"family": families, "gain": gains}).group_by("family").agg(pl.col("gain").sum())
    mean = float(gains.mean())
    sums = by_family["gain"].to_numpy() - mean * len(gains) / by_family.height
    error = float(np.sqrt((sums**2).sum())) / len(gains)
    return mean, mean - SURE * error, mean + SURE * error


def _folds(rows: pl.DataFrame) -> NDArray[np.int64]:
    return np.array([int(samples.share(family, "proof") * FOLDS) for family in rows["family"]], np.int64)


def _vectors(rows: pl.DataFrame, backbone: Backbone) -> Vectors:
    return features.embed(rows, 1, backbone)[0]
