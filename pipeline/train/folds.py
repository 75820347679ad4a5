"""Folds of families: what a head is judged on is no kin of what it learned from."""

import hashlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inference_runtime.errors import Fixable


def folds_of(frame: pl.DataFrame, wanted: int, seed: int) -> NDArray[np.int64]:
    """The fold of each row, 0 and up; fewer folds than wanted where a label has few families."""
    families = frame.group_by("family").agg(pl.col("label").max()).sort("family")
    count = min(wanted, *(families.filter(label=label).height for label in (0, 1)))
    if count < 2:
        raise Fixable("train: one of the two labels has fewer than two families; label more images of it")
    dealt = pl.concat([_dealt(families.filter(label=label), count, seed) for label in (0, 1)])
    return frame.join(dealt, on="family", how="left", maintain_order="left")["fold"].to_numpy()


def _dealt(families: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """Like cards, in an order that hangs on the names alone."""
    shuffled = sorted(families["family"], key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    return pl.DataFrame({"family": shuffled, "fold": [place % count for place in range(len(shuffled))]})
