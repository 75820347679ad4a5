"""Of all that was said of a picture, what counts. The rule, in words, stands in docs/data.md."""

from collections.abc import Mapping

import polars as pl

from pipeline import samples

SET = "set"  # where a base or gold set says it
AGREED = "agreed"


def judged(words: pl.DataFrame, trust: Mapping[str, int]) -> pl.DataFrame:
    """Every voice on every picture beside what is made of them: `resolved` (null for a tie) and the rule.

    Only the most trusted are counted; a set has trust 0, a person 1 where `trust` says nothing else.
    """
    people = pl.col("labeler").replace_strict(
        list(trust), list(trust.values()), default=1, return_dtype=pl.Int64
    )
    weight = pl.when(pl.col("via") == SET).then(0).otherwise(people)
    voices = _voices(words).with_columns(counts=weight == weight.max().over("image"))
    vote = pl.when("counts").then(2 * pl.col("label").cast(pl.Int64) - 1).otherwise(0)
    balance = vote.sum().over("image")
    unanimous = balance.abs() == pl.col("counts").sum().over("image")
    return voices.with_columns(
        resolved=pl.when(balance != 0).then((balance > 0).cast(pl.Int8)),
        rule=pl.when(pl.col("label").n_unique().over("image") == 1)
        .then(pl.lit(AGREED))
        .when(balance == 0)
        .then(pl.lit("tie"))
        .when(unanimous)
        .then(pl.lit("trust"))
        .otherwise(pl.lit("majority")),
    )


def spoken(voices: pl.DataFrame) -> pl.DataFrame:
    """One row for each picture: its label, and the latest of those who say so; nobody speaks for a tie."""
    agrees = pl.col("counts") & (pl.col("label") == pl.col("resolved")).fill_null(False)
    spokesman = (
        voices.with_columns(agrees=agrees)
        .sort("agrees", "labelled_at", "labeler")
        .unique("image", keep="last", maintain_order=True)
    )
    tie = pl.col("resolved").is_null()
    return spokesman.select(
        "image",
        label="resolved",
        labeler=pl.when(~tie).then("labeler"),
        labelled_at=pl.when(~tie).then("labelled_at"),
    )


def conflicts(voices: pl.DataFrame) -> pl.DataFrame:
    """Who said what of the pictures that were not said the same of by all."""
    return samples.conform(voices.filter(pl.col("rule") != AGREED), samples.CONFLICTS)


def _voices(words: pl.DataFrame) -> pl.DataFrame:
    """A person has one voice, the latest word; a set has one for each label that it gives the picture."""
    people = words.filter(pl.col("via") != SET).sort("labelled_at", "label", "via")
    people = people.unique(["image", "labeler"], keep="last", maintain_order=True)
    return pl.concat([people, words.filter(pl.col("via") == SET).unique()])
