"""What people said of pictures, each word with who and when; all of it is kept."""

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import samples
from pipeline.pull.labels import label_studio, tables
from pipeline.pull.labels.verdicts import SET

READERS = {".csv": tables.words, ".json": label_studio.words}


def handed_in(folder: Path) -> pl.DataFrame:
    """The words of every CSV file and every export of Label Studio in a folder, which may be absent.

    Later exports repeat what earlier ones said; that is one word.
    """
    rows: list[dict[str, Any]] = []
    for file in sorted(folder.glob("*")):
        if read := READERS.get(file.suffix.lower()):
            rows += read(file)
    return samples.frame(rows, samples.WORDS).unique()


def of_sets(offered: pl.DataFrame) -> pl.DataFrame:
    """What the base and gold sets say; they were there before anybody spoke."""
    return samples.conform(offered.with_columns(via=pl.lit(SET)), samples.WORDS)


def clicked(shown: pl.DataFrame, words: pl.DataFrame) -> pl.DataFrame:
    """What was said in FiftyOne; what came by another way is shown there, too, and no second word."""
    same = [pl.col("image"), pl.col("label"), pl.col("labeler"), pl.col("labelled_at").dt.truncate("1ms")]
    said = shown.with_columns(via=pl.lit("fiftyone")).join(words, left_on=same, right_on=same, how="anti")
    return samples.conform(said, samples.WORDS)


def until(words: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    return words.filter((pl.col("labelled_at") <= moment) | (pl.col("via") == SET))


def apply(known: pl.DataFrame, spoken: pl.DataFrame, tags: pl.DataFrame | None = None) -> pl.DataFrame:
    """The table with the labels that count, and with people's tags beside those that were there."""
    table = known.drop("label", "labeler", "labelled_at").join(spoken, on="image", how="left")
    if tags is not None:
        table = table.join(tags, on="image", how="left", suffix="_said").with_columns(
            _both("tags", "tags_said")
        )
    return samples.conform(table, samples.PULLED)


def _both(one: str, other: str) -> pl.Expr:
    empty = pl.lit([], pl.List(pl.String))
    return pl.coalesce(one, empty).list.set_union(pl.coalesce(other, empty)).list.sort().alias(one)
