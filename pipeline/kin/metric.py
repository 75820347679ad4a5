"""A measure of likeness that a validator's crop changes little: learned from pictures and their own views.

The network was taught to name things, and a crop shows other things than its frame. The differences between
pictures and their views say which directions of its vectors a crop moves; those are made to count less.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import features, samples
from pipeline.params import Backbone

Vectors = NDArray[np.float32]

FRAMES = 100  # whose views teach the measure
VIEWS = 4  # as many as the lesson has, so that they are embedded anyway
LEAST = 20  # frames under which there is too little to learn
FLOOR = 1.0  # of the mean variance that every direction is given: what was not seen may move, too
BLOCK = 16_384  # rows at once, so that a large house needs no second copy
WHOLE = pl.lit(features.AS_SENT).alias("profile")  # as they are, not as a validator would crop them


def vectors(table: pl.DataFrame, backbone: Backbone) -> Vectors:
    """A row of length one per picture (image, profile, source), in their order."""
    plain, _ = features.embed(table.select("image", WHOLE), 1, backbone)
    told: Vectors = np.array(plain, np.float32)
    told -= told.mean(axis=0)
    moved = _moved(table, backbone)
    calm = None if moved is None else _calm(moved)
    for start in range(0, len(told), BLOCK):
        part = told[start : start + BLOCK]
        if calm is not None:
            directions, shrink = calm
            part += ((part @ directions.T) * shrink) @ directions
        part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
    return told


def _moved(table: pl.DataFrame, backbone: Backbone) -> Vectors | None:
    """By how much views differ from their frames. Gold teaches nothing, not even this."""
    frames = table.filter((pl.col("profile") != features.AS_SENT) & (pl.col("source") != "gold"))
    if frames.height < LEAST:
        return None
    drawn = pl.Series("drawn", [samples.share(image, "kin") for image in frames["image"]])
    some = frames.with_columns(drawn).sort("drawn").head(FRAMES)
    whole, _ = features.embed(some.select("image", WHOLE), 1, backbone)
    views, index = features.embed(some, VIEWS, backbone)
    place = {image: row for row, image in enumerate(some["image"])}
    moved: Vectors = views - whole[[place[image] for image in index["image"]]]
    return moved


def _calm(moved: Vectors) -> tuple[Vectors, Vectors]:
    """Directions, and by how much of itself each is to change: the less, the less views move along it."""
    _, width, directions = np.linalg.svd(moved.astype(np.float64), full_matrices=False)
    variance = width**2 / len(moved)
    floor = FLOOR * variance.sum() / moved.shape[1]
    shrink = np.sqrt(floor / (variance + floor)) - 1
    return directions.astype(np.float32), shrink.astype(np.float32)
