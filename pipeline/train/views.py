"""What the head learns from, and what it is judged on: vectors of views, with the labels of their images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inference_runtime.errors import Fixable
from pipeline import features, samples
from pipeline.params import Backbone

Numbers = NDArray[np.float64]
Labels = NDArray[np.int8]


@dataclass(frozen=True)
class Views:
    """A row of `frame` per vector: image, view, and the columns of the image's sample."""

    vectors: NDArray[np.float32]
    frame: pl.DataFrame

    @property
    def labels(self) -> Labels:
        return self.frame["label"].to_numpy()

    @property
    def shares(self) -> Numbers:
        """Sum to 1; an image's views share its weight."""
        share = pl.col("weight") / pl.len().over("image")
        return self.frame.select(share / share.sum()).to_series().to_numpy()

    @property
    def weights(self) -> Numbers:
        """Sum to 1, half of it on each class, as in the challenges; an image's views share its weight."""
        share = pl.col("weight") / pl.len().over("image")
        balanced = share / share.sum().over("label") / 2
        return self.frame.select(balanced).to_series().to_numpy()

    def of(self, split: str) -> "Views":
        return Views(self.vectors[(self.frame["split"] == split).to_numpy()], self.frame.filter(split=split))


def read(assemble: Path, views: int, backbone: Backbone) -> tuple[Views, Views]:
    """Those of the splits train and dev; the holdout is the gate's alone."""
    file = assemble / samples.FILE
    wanted = pl.col("label").is_not_null() & pl.col("split").is_in(["train", "dev"])
    table = samples.read(assemble).filter(wanted)
    for split in ("train", "dev"):
        _refuse_one_class(file, split, table.filter(split=split)["label"])
    vectors, index = features.embed(table, views, backbone)
    both = Views(vectors, index.join(table, on="image", how="left", maintain_order="left"))
    _refuse_unfinite(both)
    return both.of("train"), both.of("dev")


def _refuse_one_class(file: Path, split: str, labels: pl.Series) -> None:
    found = sorted(labels.unique())
    if not found:
        raise Fixable(f"{file}: split {split} is empty; label more images, or change assemble.dev")
    if len(found) == 1:
        kind = ("clear", "roadwork")[found[0]]
        raise Fixable(f"{file}: split {split} holds only {kind} images; label some of the other kind")


def _refuse_unfinite(views: Views) -> None:
    broken = ~np.isfinite(views.vectors).all(axis=1)
    if broken.any():
        image, view = views.frame.row(int(broken.argmax()))[:2]
        raise Fixable(
            f"features: the vector of image {image}, view {view}, holds NaN or infinity;"
            " check params.yaml backbone.name, then delete var/features and run again"
        )
