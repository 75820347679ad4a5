"""The last look before anything learns: nothing that teaches may show what judges."""

import polars as pl

from inference_runtime.errors import Fixable
from pipeline.assemble.splits import TESTS

REMEDY = "nothing was written"


def refuse(table: pl.DataFrame, pairs: pl.DataFrame) -> None:
    """A Fixable that names the first leak. All that judges is one side; train and dev are one each."""
    sided = table.with_columns(
        side=pl.when(pl.col("split").is_in(TESTS)).then(pl.lit("tests")).otherwise("split")
    )
    for key in ("image", "family"):
        _refuse_spread(sided, key)
    _refuse_pairs(sided, pairs)


def _refuse_spread(sided: pl.DataFrame, key: str) -> None:
    spread = sided.group_by(key).agg(pl.col("side").n_unique(), pl.col("split").unique().sort())
    leaks = spread.filter(pl.col("side") > 1).sort(key)
    if leaks.height:
        name, splits = leaks.select(key, "split").row(0)
        raise Fixable(f"assemble: {key} {name} stands in {' and '.join(splits)}; a leak: {REMEDY}")


def _refuse_pairs(sided: pl.DataFrame, pairs: pl.DataFrame) -> None:
    """Two pictures of one street, whatever family they are said to be of."""
    for end in ("one", "other"):
        side = sided.select(pl.col("image").alias(end), pl.col("side", "split").name.suffix(f"_{end}"))
        pairs = pairs.join(side, on=end)
    leaks = pairs.filter(pl.col("side_one") != pl.col("side_other")).sort("one", "other")
    if leaks.height:
        worst = leaks.row(0, named=True)
        raise Fixable(
            f"assemble: pictures {worst['one']} ({worst['split_one']}) and {worst['other']} "
            f"({worst['split_other']}) show the same street (likeness {worst['likeness']:.2f}); "
            f"a leak, {leaks.height} such pairs in all: {REMEDY}"
        )
