"""The pictures on which the two differ, small enough to lie in the page itself."""

from html import escape
from typing import Any

import polars as pl

from pipeline import samples
from pipeline.page import thumbs

SHOWN = 12


def changed(items: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Won and lost ones, those first on which the two are furthest apart."""
    if items["champion"].null_count():
        return {}
    right = (pl.col("challenger") > 0.5) == (pl.col("label") == 1)
    before = (pl.col("champion") > 0.5) == (pl.col("label") == 1)
    apart = (pl.col("challenger") - pl.col("champion")).abs()
    ranked = items.with_columns(apart=apart).sort("apart", "image", descending=[True, False])
    return {"Won": ranked.filter(right & ~before), "Lost": ranked.filter(before & ~right)}


def figures(rows: pl.DataFrame) -> str:
    return "".join(_figure(row) for row in rows.head(SHOWN).iter_rows(named=True))


def _figure(row: dict[str, Any]) -> str:
    word = samples.CLASSES[row["label"]]
    numbers = f"{row['champion']:.2f} → {row['challenger']:.2f}"
    caption = f"<b>{word}</b> {numbers}<br>{escape(' '.join(row['tags']))}"
    return thumbs.figure(row["image"], word, caption)
