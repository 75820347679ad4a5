"""Keeps the hard cases: what the champion was unsure of, got wrong, or nobody would have looked at."""

import json
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import samples
from pipeline.diversity import farthest_first
from pipeline.mine.blind import blindly, parted
from pipeline.mine.judged import mistakes, slices
from pipeline.params import Backbone, Fresh, Mine, People

Vectors = NDArray[np.float32]


def run(params: Mine, backbone: Backbone, people: People, fresh: Fresh, pull: Path, out: Path) -> None:
    answered = samples.read(pull).filter(pl.col("source") == "challenge")
    waiting = scored(answered.filter(pl.col("label").is_null()))
    aside, rest = parted(waiting, fresh.share)
    blind = blindly(aside, rest, round(params.cases * params.random), params.seed)
    rest = rest.join(blind, on="image", how="anti")
    wanted = params.cases - blind.height
    pool = rest.head(wanted * params.margin_pool)
    unsure = diverse(pool, _vectors(pool, backbone), wanted)
    _, learned = parted(answered.filter(pl.col("label").is_not_null()), fresh.share)
    wrong = mistakes(learned, params.mistakes)
    cases = pl.concat([samples.conform(part, samples.MINED) for part in (unsure, blind, wrong)])
    samples.write(cases, out)
    samples.keep(slices(answered.filter(pl.col("label").is_not_null())), out / "slices.parquet")
    summary = {"waiting": waiting.height} | dict(cases.group_by("reason").len().sort("reason").iter_rows())
    (out / "summary.json").write_text(json.dumps(summary))
    _show(cases, people)


def scored(waiting: pl.DataFrame) -> pl.DataFrame:
    """The most uncertain first; equals by name, so that a rerun picks the same."""
    margin = 1 - (2 * pl.col("p") - 1).abs()
    return waiting.with_columns(score=margin).sort("score", "image", descending=[True, False])


def diverse(pool: pl.DataFrame, vectors: Vectors, count: int) -> pl.DataFrame:
    """Greedy k-center: each pick is the one least like all picked before, the most uncertain first."""
    kept = pool[farthest_first(vectors, min(count, pool.height))]
    return kept.with_columns(reason=pl.lit("margin"), probability=pl.lit(1.0))


def _vectors(pool: pl.DataFrame, backbone: Backbone) -> Vectors:
    from pipeline import features

    vectors, _ = features.embed(pool, 1, backbone)
    return vectors


def _show(cases: pl.DataFrame, people: People) -> None:
    if people.dataset is None:
        return
    from pipeline import fiftyone_view

    with fiftyone_view.opened(people.dataset) as view:
        view.show_cases(cases.filter(pl.col("label").is_null()))
