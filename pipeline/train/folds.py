"""Folds of families: what a head is judged on is no kin of what it learned from."""

import hashlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inference_runtime.errors import Fixable


def folds_of(frame: pl.DataFrame, wanted: int, seed: int) -> NDArray[np.int64]:
    """The fold of each row, 0 and up; each fold holds both labels, so few families make few folds."""
    held = frame.group_by("family").agg(least=pl.col("label").min(), most=pl.col("label").max())
    count = min(wanted, held.filter(least=0).height, held.filter(most=1).height)
    if count < 2:
        raise Fixable("train: one of the two labels has fewer than two families; label more images of it")
    dealt = _dealt(held, count, seed)
    return frame.join(dealt, on="family", how="left", maintain_order="left")["fold"].to_numpy()


def _dealt(held: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """Like cards: clear families, then mixed ones, then roadwork, each kind shuffled by the names alone."""
    rows = held.with_columns(kind=pl.col("least") + pl.col("most")).select("kind", "family").iter_rows()
    names = [family for _, family in sorted(rows, key=lambda row: (row[0], _shuffle(row[1], seed)))]
    return pl.DataFrame({"family": names, "fold": [place % count for place in range(len(names))]})


def _shuffle(family: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{family}".encode()).digest()
