"""Keeps the hard cases: what the champion was unsure of, got wrong, or nobody would have looked at."""

import json
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import samples
from pipeline.diversity import farthest_first
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


def parted(table: pl.DataFrame, share: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is set aside for the gate, and the rest.

    Of the first nothing is picked by what the champion said: where it is unsure, any other looks better.
    """
    aside = samples.aside(table, share)
    return table.filter(aside), table.filter(~aside)


def blindly(aside: pl.DataFrame, rest: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """Drawn from what is set aside as long as that lasts: labels for the gate."""
    first = drawn(aside, count, seed)
    return pl.concat([first, drawn(rest, count - first.height, seed)])


def drawn(waiting: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """A blind draw, the one part of the cases that stands for all traffic."""
    count = min(count, waiting.height)
    chance = count / waiting.height if waiting.height else 0.0
    by_name = waiting.sort("image")
    chosen = np.random.default_rng(seed).choice(by_name.height, count, replace=False)
    return _because(by_name[np.sort(chosen).tolist()], "random", chance)


def diverse(pool: pl.DataFrame, vectors: Vectors, count: int) -> pl.DataFrame:
    """Greedy k-center: each pick is the one least like all picked before, the most uncertain first."""
    return _because(pool[farthest_first(vectors, min(count, pool.height))], "margin", 1.0)


def mistakes(labelled: pl.DataFrame, count: int) -> pl.DataFrame:
    """What the runtime answered wrongly, by people's word; the latest first."""
    wrong = labelled.with_columns(score=(pl.col("p") - pl.col("label")).abs()).filter(pl.col("score") >= 0.5)
    return _because(wrong.sort("at", "image", descending=[True, False]).head(count), "mistake", 1.0)


def slices(labelled: pl.DataFrame) -> pl.DataFrame:
    """Of each tag how many labelled pictures were answered, and how many wrongly; no tag stands for all."""
    judged = labelled.with_columns(wrong=((pl.col("p") > 0.5) != (pl.col("label") == 1)).cast(pl.Int64))
    counts = (pl.len().cast(pl.Int64).alias("answered"), pl.col("wrong").sum())
    by_tag = judged.explode("tags").rename({"tags": "tag"}).drop_nulls("tag").group_by("tag").agg(counts)
    everything = judged.select(pl.lit(None, dtype=pl.String).alias("tag"), *counts)
    return pl.concat([samples.conform(part, samples.SLICES) for part in (by_tag, everything)]).sort("tag")


def _because(cases: pl.DataFrame, reason: str, probability: float) -> pl.DataFrame:
    return cases.with_columns(reason=pl.lit(reason), probability=pl.lit(probability))


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
