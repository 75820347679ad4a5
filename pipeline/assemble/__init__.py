"""One training table out of all that has a label, no family on both sides of a split."""

import json
from datetime import timedelta
from pathlib import Path

import polars as pl

from inference_runtime.errors import Fixable
from pipeline import samples
from pipeline.assemble import proof
from pipeline.params import Assemble, Backbone, Fresh

INCIDENT = "incident"  # the tag of a picture that went badly wrong once: it must never be lost again
TESTS = ("holdout", "rolling", "regression")


def run(
    params: Assemble, fresh: Fresh, backbone: Backbone, pull: Path, mine: Path, synthesize: Path, out: Path
) -> None:
    reasons = samples.read(mine).select("image", "reason", "probability")
    real = samples.read(pull).filter(pl.col("label").is_not_null()).join(reasons, on="image", how="left")
    painted = samples.read(synthesize)
    table = pl.concat([samples.conform(part, samples.ASSEMBLED) for part in (real, painted)])
    table = weighted(without_tests_kin(divided(table, params.dev, fresh)), params)
    refuse_leaks(table)
    table, findings = proof.proven(table, params.proof, params.synthetic_weight, backbone)
    samples.write(table, out)
    proof.write(findings, out / "proof.json")
    left = {f"{finding.painter} left out": finding.left_out for finding in findings if finding.left_out}
    (out / "summary.json").write_text(json.dumps(counts(table) | left))


def divided(table: pl.DataFrame, dev: float, fresh: Fresh) -> pl.DataFrame:
    """Gold is the holdout, incidents are regression cases, traffic set aside is rolling while its label is
    young. The rest goes by the hash of its family, so it never changes between train and dev."""
    sides = ["dev" if samples.share(family, "split") < dev else "train" for family in table["family"]]
    return table.with_columns(side=pl.Series(sides, dtype=pl.String), aside=_young(table, fresh)).select(
        pl.all().exclude("side", "aside", "split"),
        split=pl.when(pl.col("source") == "gold")
        .then(pl.lit("holdout"))
        .when(pl.col("tags").list.contains(INCIDENT).fill_null(False))
        .then(pl.lit("regression"))
        .when("aside")
        .then(pl.lit("rolling"))
        .otherwise("side"),
    )


def _young(table: pl.DataFrame, fresh: Fresh) -> pl.Series:
    """By the clock of the labels, so that a night without new ones changes nothing."""
    said = table["labelled_at"]
    if not said.count():
        return pl.Series([False] * table.height, dtype=pl.Boolean)
    young = said > said.max() - timedelta(days=fresh.days)  # type: ignore[operator]
    return samples.aside(table, fresh.share) & young.fill_null(False)


def without_tests_kin(table: pl.DataFrame) -> pl.DataFrame:
    """Painted pictures only ever train; those whose family is tested on are left out."""
    tests = pl.col("split").is_in(TESTS)
    tested = table.filter(tests & pl.col("parent").is_null()).select("family").unique()
    learned = table.filter(~tests | pl.col("parent").is_not_null())
    kin = learned.join(tested, on="family", how="semi").select("image")
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
    return {name: splits.get(name, 0) for name in ("train", "dev", *TESTS)} | {"painted": painted}
