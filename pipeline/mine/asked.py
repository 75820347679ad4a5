"""The cases that people are asked about because of what is known of them."""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.mine import cold, evidence, select
from pipeline.mine.evidence import Evidence
from pipeline.mine.select import Picks
from pipeline.params import Backbone, Criterion, Mine

Vectors = NDArray[np.floating]
Scores = Mapping[Criterion, NDArray[np.float64]]


def cases(known: Evidence, params: Mine, backbone: Backbone, count: int) -> pl.DataFrame:
    """Nothing here is left to chance, so each case was sure to be picked: its probability is 1."""
    picks = chosen(
        known.vectors, known.labelled, lambda: evidence.weighed(known, params, backbone), params, count
    )
    return known.waiting[picks.rows].with_columns(
        reason=pl.Series(picks.reasons, dtype=pl.String),
        score=pl.Series(picks.scores, dtype=pl.Float64),
        probability=pl.lit(1.0),
    )


def chosen(
    vectors: Vectors, labelled: Vectors, scores: Callable[[], Scores], params: Mine, count: int
) -> Picks:
    """Rows of `vectors`; `scores` is asked for only if there are labels enough to believe a champion."""
    if not len(vectors) or not count:
        return Picks()
    groups, done = select.bursts(vectors, labelled, params.burst)
    centre = vectors.mean(axis=0)  # what all have in common says nothing of how they differ
    if len(labelled) < params.cold:
        return cold.typical(vectors - centre, labelled - centre, groups, done, count, params.seed)
    told = scores()
    quotas = {name: params.quotas[name] for name in params.quotas if name in told}
    return select.picked(vectors - centre, told, quotas, count, groups, done, params.width, params.seed)
