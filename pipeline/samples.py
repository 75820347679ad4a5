"""The one noun that flows: a row per image. Stages only ever add columns."""

import hashlib
import io
from pathlib import Path
from typing import Any

import polars as pl

FILE = "samples.parquet"
CLASSES = ("clear", "roadwork")
MOMENT = pl.Datetime("us", "UTC")

PULLED: dict[str, Any] = {
    "image": pl.String,  # sha256 of the bytes
    "source": pl.String,  # base, gold, challenge, or the painter's name
    "family": pl.String,  # the image it all came from; a family never crosses a split
    "profile": pl.String,  # the challenge profile its views are made with
    "width": pl.Int32,
    "height": pl.Int32,
    "at": MOMENT,  # when the runtime last answered it
    "p": pl.Float64,  # what it answered
    "bundle": pl.String,  # and with which bundle
    "label": pl.Int8,  # 1 = roadwork, null = nobody has said
    "labeler": pl.String,
    "labelled_at": MOMENT,
    "tags": pl.List(pl.String),
}
SAID: dict[str, Any] = {key: PULLED[key] for key in ("image", "label", "labeler", "labelled_at")}
# What somebody said, and by which way it came: csv, label-studio, fiftyone, set.
WORDS = SAID | {"via": pl.String}
# Words that contradict each other, what came of them (null = a tie, so nothing) and by which rule.
CONFLICTS = WORDS | {"resolved": pl.Int8, "rule": pl.String}
TAGGED: dict[str, Any] = {key: PULLED[key] for key in ("image", "tags")}
MINED = PULLED | {"reason": pl.String, "score": pl.Float64, "probability": pl.Float64}
# Where a painted picture came from, complete: the case, how it was asked for, who painted it, at what cost.
PAINTED = PULLED | {
    "parent": pl.String,
    "seed": pl.Int64,
    "mode": pl.String,
    "prompt": pl.String,
    "model": pl.String,
    "revision": pl.String,
    "usd": pl.Float64,
}
SLICES: dict[str, Any] = {"tag": pl.String, "answered": pl.Int64, "wrong": pl.Int64}
ASSEMBLED = PAINTED | {
    "reason": pl.String,
    "probability": pl.Float64,  # with which mine would have picked it
    "kind": pl.String,  # real, hard, synthetic, or pseudo: labelled by nobody
    "split": pl.String,
    "weight": pl.Float64,
}


def share(family: str, what: str) -> float:
    """A number in [0, 1) that belongs to the family for ever, another one for each question asked."""
    return int.from_bytes(hashlib.sha256(f"{what}{family}".encode()).digest()[:8], "big") / 2**64


def aside(table: pl.DataFrame, part: float) -> pl.Series:
    """Which rows belong to the traffic that is set aside for the gate."""
    drawn = [share(family, "fresh") < part for family in table["family"]]
    return pl.Series("aside", drawn, dtype=pl.Boolean) & (table["source"] == "challenge")


def asked(cases: pl.DataFrame) -> pl.DataFrame:
    """Those that people are shown: nobody has labelled them, or the label is in doubt."""
    return cases.filter(pl.col("label").is_null() | (pl.col("reason") == "doubtful"))


def frame(rows: list[dict[str, Any]], schema: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


def conform(table: pl.DataFrame, schema: dict[str, Any]) -> pl.DataFrame:
    """The same rows under exactly this schema; columns that are not there yet are null."""
    missing = [
        pl.lit(None, dtype=kind).alias(key) for key, kind in schema.items() if key not in table.columns
    ]
    return table.with_columns(missing).select([pl.col(key).cast(kind) for key, kind in schema.items()])


def write(table: pl.DataFrame, folder: Path, file: str = FILE) -> None:
    """Equal rows give equal bytes, whatever order they came in."""
    order = [key for key in ("image", "at", "id") if key in table.columns]
    keep(table.sort(order, nulls_last=True), folder / file)


def keep(table: pl.DataFrame, file: Path) -> None:
    buffer = io.BytesIO()  # so that a full disk is Python's own OSError, with its number
    table.write_parquet(buffer, compression="zstd", statistics=False)
    file.write_bytes(buffer.getvalue())


def read(folder: Path, file: str = FILE) -> pl.DataFrame:
    return pl.read_parquet(folder / file)
