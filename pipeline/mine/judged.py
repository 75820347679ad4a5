"""What people's labels say of the answers that were given."""

import polars as pl

from pipeline import samples


def mistakes(labelled: pl.DataFrame, count: int) -> pl.DataFrame:
    """What the runtime answered wrongly, by people's word; the latest first."""
    wrong = labelled.with_columns(score=(pl.col("p") - pl.col("label")).abs()).filter(pl.col("score") >= 0.5)
    kept = wrong.sort("at", "image", descending=[True, False]).head(count)
    return kept.with_columns(reason=pl.lit("mistake"), probability=pl.lit(1.0))


def slices(labelled: pl.DataFrame) -> pl.DataFrame:
    """Of each tag how many labelled pictures were answered, and how many wrongly; no tag stands for all."""
    judged = labelled.with_columns(wrong=((pl.col("p") > 0.5) != (pl.col("label") == 1)).cast(pl.Int64))
    counts = (pl.len().cast(pl.Int64).alias("answered"), pl.col("wrong").sum())
    by_tag = judged.explode("tags").rename({"tags": "tag"}).drop_nulls("tag").group_by("tag").agg(counts)
    everything = judged.select(pl.lit(None, dtype=pl.String).alias("tag"), *counts)
    return pl.concat([samples.conform(part, samples.SLICES) for part in (by_tag, everything)]).sort("tag")
