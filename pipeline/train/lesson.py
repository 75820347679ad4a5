"""What the heads are taught: scaled vectors, what each should be answered, and how much it counts."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inference_runtime.errors import Fixable
from pipeline.params import Lesson as Options
from pipeline.train.folds import folds_of
from pipeline.train.metrics import level_of
from pipeline.train.scale import Scale
from pipeline.train.views import Numbers, Views

# A case drawn with a chance of one in a hundred speaks for a hundred, but not that loudly.
LOUDEST = 10.0


@dataclass(frozen=True)
class Lesson:
    """Rows to learn from and, untouched by any option, the rows to be judged on.

    `taught` and `judged` hold a row's weight for each fold's head: a head never learns from its own fold and
    is judged on nothing else.
    """

    vectors: NDArray[np.float32]
    targets: Numbers
    taught: Numbers
    joins: NDArray[np.int64]  # the epoch from which a row is shown
    seen: NDArray[np.float32]
    labels: Numbers
    judged: Numbers
    families: NDArray[np.int64]
    prior: float  # log odds of roadwork in what is taught; 0 where the classes weigh the same

    @property
    def folds(self) -> int:
        return int(self.taught.shape[1])

    def digest(self) -> str:
        """Names the lesson: two that differ in one number differ here."""
        total = hashlib.sha256()
        for part in (self.vectors, self.targets, self.taught, self.joins, self.judged):
            total.update(np.ascontiguousarray(part).tobytes())
        return total.hexdigest()[:16]


def prepared(views: Views, scale: Scale, options: Options, folds: int, seed: int) -> Lesson:
    own = folds_of(views.frame, folds, seed)
    chosen = np.eye(own.max() + 1)[own]
    vectors, weights = scale.apply(views.vectors), _weights(views, options)
    targets, labels = _targets(views, options), views.labels.astype(np.float64)
    taught, joins = weights[:, None] * (1 - chosen), _joins(views.frame, options.curriculum)
    whole = Lesson(
        vectors=vectors,
        targets=targets,
        taught=taught,
        joins=joins,
        seen=vectors,
        labels=labels,
        judged=views.weights[:, None] * chosen,
        families=views.frame["family"].rank("dense").to_numpy().astype(np.int64) - 1,
        prior=0.0 if options.balance else _log_odds(labels, weights),
    )
    return _averaging_one(mixed(whole, options.mixup, seed) if options.mixup else whole)


def mixed(lesson: Lesson, spread: float, seed: int) -> Lesson:
    """Twice the rows: each once as it is and once mixed with another by a draw from Beta(spread, spread).

    A mixture belongs to the families of both its parents, so it counts for a fold only as far as both do.
    """
    rng = np.random.default_rng(seed)
    others = rng.permutation(len(lesson.targets))
    share = np.maximum(draws := rng.beta(spread, spread, len(others)), 1 - draws)
    blend = share.astype(np.float32)[:, None]
    vectors = blend * lesson.vectors + (1 - blend) * lesson.vectors[others]
    both = np.sqrt(lesson.taught * lesson.taught[others])
    return Lesson(
        vectors=np.concatenate([lesson.vectors, vectors]),
        targets=np.concatenate(
            [lesson.targets, share * lesson.targets + (1 - share) * lesson.targets[others]]
        ),
        taught=np.concatenate([lesson.taught, both]),
        joins=np.concatenate([lesson.joins, np.maximum(lesson.joins, lesson.joins[others])]),
        seen=lesson.seen,
        labels=lesson.labels,
        judged=lesson.judged,
        families=lesson.families,
        prior=lesson.prior,
    )


def _averaging_one(lesson: Lesson) -> Lesson:
    return Lesson(**(vars(lesson) | {"taught": lesson.taught / lesson.taught.mean(0)}))


def _weights(views: Views, options: Options) -> Numbers:
    """Sum to 1; cases count the more, the less likely it was that they were picked."""
    frame = views.frame
    if options.selection:
        chance = frame["probability"].fill_null(1.0).clip(1e-6, 1.0).to_numpy()
        louder = np.minimum(chance**-options.selection, LOUDEST)
        frame = frame.with_columns(weight=pl.col("weight") * pl.Series(louder))
    heard = Views(views.vectors, frame)
    return heard.weights if options.balance else heard.shares


def _log_odds(labels: Numbers, weights: Numbers) -> float:
    return float(np.log(weights @ labels) - np.log(weights @ (1 - labels)))


def _targets(views: Views, options: Options) -> Numbers:
    targets = views.labels.astype(np.float64)
    if options.teacher:
        said = _soft_labels(Path(options.teacher))
        taught = views.frame.select("image").join(said, on="image", how="left", maintain_order="left")["p"]
        told = taught.fill_null(pl.Series(targets)).to_numpy()
        targets = (1 - options.teacher_share) * targets + options.teacher_share * told
    return targets * (1 - 2 * options.smoothing) + options.smoothing


def _soft_labels(file: Path) -> pl.DataFrame:
    try:
        said = pl.read_parquet(file, columns=["image", "p"])
    except (OSError, pl.exceptions.PolarsError) as error:
        line = " ".join(str(error).split())[:200]
        raise Fixable(
            f"params.yaml: train.lesson.teacher: {file}: no columns image and p ({line}); set it to null"
        ) from None
    return said.unique("image", keep="first", maintain_order=True)


def _joins(frame: pl.DataFrame, pause: int) -> NDArray[np.int64]:
    if not pause:
        return np.zeros(frame.height, np.int64)
    levels = [level_of(image, view) for image, view in frame.select("image", "view").iter_rows()]
    joins: NDArray[np.int64] = np.maximum(np.array(levels), 0) * pause
    return joins
