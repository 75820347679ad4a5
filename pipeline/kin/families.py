"""All that shows one street is one family, and bears the name of what was there first."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import neighbours


def merged(table: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """The same rows; families that a pair connects have become one.

    What joins later takes the name of what was there, so a picture changes sides only when two old families
    turn out to be one.
    """
    ranked = table.group_by("family").agg(pl.col("labelled_at").min())
    ranked = ranked.sort("labelled_at", "family", nulls_last=False).with_row_index("row")
    one, other = (_rows(table, ranked, pairs, side) for side in ("one", "other"))
    kin = neighbours.groups(ranked.height, one, other)
    root = ranked.with_columns(kin=pl.Series(kin)).with_columns(
        root=pl.col("family").first().over("kin", order_by="row")
    )
    named = table.join(root.select("family", "root"), on="family", how="left", maintain_order="left")
    return named.with_columns(family="root").drop("root")


def _rows(table: pl.DataFrame, ranked: pl.DataFrame, pairs: pl.DataFrame, side: str) -> NDArray[np.int64]:
    """The family's row for each picture on that side of the pairs."""
    places = table.select("image", "family").unique("image").join(ranked, on="family")
    found = pairs.select(image=side).join(places, on="image", how="left", maintain_order="left")
    return found["row"].to_numpy().astype(np.int64)
