"""Slices that need labels: where the champion errs most, or where next to nothing is labelled."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import neighbours

Numbers = NDArray[np.float64]
Vectors = NDArray[np.floating]

# An error rate is worth believing after about this many pictures; until then it leans to the overall rate.
PRIOR = 10.0


def deficits(slices: pl.DataFrame) -> Mapping[str, float]:
    """Of each tag, in [0, 1]: its error rate in parts of the worst tag's, raised where few were judged."""
    rows = slices.filter(pl.col("tag").is_not_null())
    if rows.is_empty():
        return {}
    answered, wrong = (rows[key].to_numpy().astype(np.float64) for key in ("answered", "wrong"))
    overall = wrong.sum() / max(answered.sum(), 1.0)
    rate = (wrong + PRIOR * overall) / (answered + PRIOR)
    few = 1 / np.sqrt(1 + answered / PRIOR)
    need = rate / max(rate.max(), 1e-12) * (1 + few) / 2
    return dict(zip(rows["tag"].to_list(), need.tolist(), strict=True))


def deficit(tags: pl.Series, need: Mapping[str, float]) -> Numbers:
    """Of each row the need of its neediest tag; NaN where it has none that is known."""
    exploded = pl.DataFrame({"row": pl.int_range(len(tags), eager=True), "tag": tags}).explode("tag")
    needs = pl.DataFrame(
        {"tag": list(need), "need": list(need.values())}, {"tag": pl.String, "need": pl.Float64}
    )
    worst = exploded.join(needs, on="tag").group_by("row").agg(pl.col("need").max())
    found = np.full(len(tags), np.nan)
    found[worst["row"].to_numpy()] = worst["need"].to_numpy()
    return found


def inherited(own: Numbers, vectors: Vectors, tagged: Vectors, theirs: Numbers, k: int) -> Numbers:
    """Traffic carries no tags: where a row has no need of its own, the mean need of the tagged pictures most
    like it."""
    found, _ = neighbours.nearest(vectors, tagged, k)
    if not found.shape[1]:
        return own
    return np.where(np.isnan(own), theirs[found].mean(axis=1), own)
