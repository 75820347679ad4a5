"""Who learns and who judges: by family first, then by time."""

from datetime import timedelta

import polars as pl

from pipeline import samples
from pipeline.params import Fresh

INCIDENT = "incident"  # the tag of a picture that went badly wrong once: it must never be lost again
TESTS = ("holdout", "rolling", "regression")
# What nobody has looked at may teach, and never judges.
UNSEEN = ("synthetic", "pseudo")


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
    """What is kin of a picture that judges is left out of the lesson; what nobody has looked at only trains.

    Pictures that judge may be kin of each other: nobody learns from them.
    """
    unseen = pl.col("kind").is_in(UNSEEN)
    tests = pl.col("split").is_in(TESTS) & ~unseen
    tested = table.filter(tests).select("family").unique()
    learned = table.filter(~tests)
    kin = learned.join(tested, on="family", how="semi").select("image")
    table = table.join(kin, on="image", how="anti")
    return table.filter(~unseen | (pl.col("split") == "train"))


def counts(table: pl.DataFrame) -> dict[str, int]:
    splits = dict(table.group_by("split").len().iter_rows())
    return {name: splits.get(name, 0) for name in ("train", "dev", *TESTS)}
