"""One training table out of all that has a label, no family on both sides of a split."""

import hashlib
import json
from pathlib import Path

import polars as pl

from inference_runtime.errors import Fixable
from pipeline import samples
from pipeline.params import Assemble


def run(params: Assemble, pull: Path, mine: Path, synthesize: Path, out: Path) -> None:
    reasons = samples.read(mine).select("image", "reason")
    real = samples.read(pull).filter(pl.col("label").is_not_null()).join(reasons, on="image", how="left")
    painted = samples.read(synthesize)
    table = pl.concat([samples.conform(part, samples.ASSEMBLED) for part in (real, painted)])
    table = weighted(without_tests_kin(divided(table, params.dev)), params)
    refuse_leaks(table)
    samples.write(table, out)
    (out / "summary.json").write_text(json.dumps(counts(table)))


def divided(table: pl.DataFrame, dev: float) -> pl.DataFrame:
    """Gold is the holdout. The rest goes by the hash of its family, so a picture never changes sides."""
    side = pl.col("family").map_elements(lambda family: "dev" if share(family) < dev else "train", pl.String)
    return table.with_columns(
        split=pl.when(pl.col("source") == "gold").then(pl.lit("holdout")).otherwise(side)
    )


def share(family: str) -> float:
    """A number in [0, 1) that belongs to the family for ever."""
    return int.from_bytes(hashlib.sha256(b"split" + family.encode()).digest()[:8], "big") / 2**64


def without_tests_kin(table: pl.DataFrame) -> pl.DataFrame:
    """Painted pictures only ever train; those whose family is tested on are left out."""
    tested = table.filter(pl.col("split") == "holdout").select("family").unique()
    kin = table.filter(pl.col("split") != "holdout").join(tested, on="family", how="semi").select("image")
    table = table.join(kin, on="image", how="anti")
    return table.filter(pl.col("parent").is_null() | (pl.col("split") == "train"))


def weighted(table: pl.DataFrame, params: Assemble) -> pl.DataFrame:
    weight = (
        pl.when(pl.col("parent").is_not_null())
        .then(params.synthetic_weight)
        .when(pl.col("reason") == "mistake")
        .then(params.mistake_weight)
        .otherwise(1.0)
    )
    return table.with_columns(weight=weight)


def refuse_leaks(table: pl.DataFrame) -> None:
    for key in ("image", "family"):
        spread = (
            table.group_by(key).agg(pl.col("split").unique().sort()).filter(pl.col("split").list.len() > 1)
        )
        if spread.height:
            name, splits = spread.sort(key).row(0)
            raise Fixable(
                f"assemble: {key} {name} stands in {' and '.join(splits)}; a leak: nothing was written"
            )


def counts(table: pl.DataFrame) -> dict[str, int]:
    splits = dict(table.group_by("split").len().iter_rows())
    painted = int(table["parent"].count())
    return {name: splits.get(name, 0) for name in ("train", "dev", "holdout")} | {"painted": painted}
