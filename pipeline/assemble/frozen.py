"""Gold is frozen: what was once an exam question is never taught, and none goes unnoticed."""

import os
from io import BytesIO
from pathlib import Path

import polars as pl

from inference_runtime.errors import Fixable
from pipeline import drafts
from pipeline.progress import say


def keep(table: pl.DataFrame) -> int:
    """Adds tonight's gold to the list of all gold there ever was; how many of that list are missing tonight.

    A Fixable where one of them is about to be taught.
    """
    file = Path(os.environ.get("GOLD", "var/gold.parquet"))
    gold = table.filter(pl.col("source") == "gold").select("image").unique()
    known = pl.read_parquet(file) if file.exists() else gold.clear()
    _refuse_taught(table, known, file)
    gone = known.join(gold, on="image", how="anti").height
    if gone:
        say(f"assemble: gold lacks {gone} of its pictures of earlier nights; they are not taught either")
    if gold.join(known, on="image", how="anti").height:
        buffer = BytesIO()
        pl.concat([known, gold]).unique().sort("image").write_parquet(buffer)
        drafts.write(file, buffer.getvalue())
    return gone


def _refuse_taught(table: pl.DataFrame, known: pl.DataFrame, file: Path) -> None:
    taught = table.filter(pl.col("source") != "gold").join(known, on="image", how="semi")
    if taught.height:
        image, source = taught.sort("image").select("image", "source").row(0)
        raise Fixable(
            f"assemble: picture {image} was gold once and is {source} now "
            f"({taught.height} such); put it back into params.yaml pull.gold, or delete {file} "
            "to begin with another exam"
        )
