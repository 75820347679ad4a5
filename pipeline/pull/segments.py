"""A segment of the journal as a table: each line checked, what can not be trusted set apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from inference_runtime.entries import Broken, Entry, read
from pipeline import samples
from pipeline.pull.quarantine import SCHEMA as BROKEN
from pipeline.store import Object, Store

SAID = ("id", "image", "p", "bundle", "width", "height", "ms", "request", "role", "first", "second", "by")
ENTRIES: dict[str, Any] = {
    "segment": pl.String,
    "line": pl.Int64,
    "at": samples.MOMENT,
    "pictured": pl.Boolean,  # whether its image was put into the store
    "id": pl.String,
    "image": pl.String,
    "p": pl.Float64,
    "bundle": pl.String,
    "width": pl.Int32,
    "height": pl.Int32,
    "ms": pl.Float64,
    "request": pl.String,
    "role": pl.String,
    # Where a second opinion came to p; else null.
    "first": pl.Float64,  # what the bundle said alone
    "second": pl.Float64,
    "by": pl.String,  # whose that was
}
AS_SAID = ENTRIES | {"width": pl.Float64, "height": pl.Float64}  # any number that JSON can say
SIDE = 100_000  # pixels; a longer one is damage

# What a line must be, beyond its checksum and the types of its keys.
RULES = {
    "id is empty": pl.col("id") != "",
    "at is no ISO time with a zone": pl.col("at").is_not_null(),
    "image is no sha256": pl.col("image").str.contains(r"^[0-9a-f]{64}$"),
    "p is not between 0 and 1": pl.col("p").is_between(0, 1),
    "width is no number of pixels": pl.col("width").is_between(1, SIDE),
    "height is no number of pixels": pl.col("height").is_between(1, SIDE),
    "first is not between 0 and 1": pl.col("first").is_null() | pl.col("first").is_between(0, 1),
    "second is not between 0 and 1": pl.col("second").is_null() | pl.col("second").is_between(0, 1),
}


@dataclass(frozen=True)
class Reading:
    segment: Object
    entries: pl.DataFrame
    broken: pl.DataFrame


def reading(shelf: Store, segment: Object, into: Path) -> Reading:
    file = shelf.local(segment, into)
    lines = list(enumerate(read(file), 1))
    if file.is_relative_to(into):
        file.unlink()
    judged = _table(segment.name, lines).with_columns(reason=_verdict())
    wrong = judged.filter(pl.col("reason").is_not_null()).select("line", "image", "reason", file="segment")
    unread = samples.frame(list(_unread(segment.name, lines)), BROKEN)
    return Reading(
        segment,
        samples.conform(judged.filter(pl.col("reason").is_null()), ENTRIES),
        pl.concat([unread, samples.conform(wrong, BROKEN)]).sort("line"),
    )


def _verdict() -> pl.Expr:
    """The first rule that a row breaks; null for a good one."""
    broken = [
        pl.when(rule.fill_null(False)).then(None).otherwise(pl.lit(reason)) for reason, rule in RULES.items()
    ]
    return pl.coalesce(broken)


def _table(segment: str, lines: list[tuple[int, Entry | Broken]]) -> pl.DataFrame:
    found = [(line, one) for line, one in lines if isinstance(one, Entry)]
    columns: dict[str, list[Any]] = {
        "segment": [segment] * len(found),
        "line": [line for line, _ in found],
        "at": [_moment(one.at) for _, one in found],
        "pictured": [one.has_image for _, one in found],
    }
    said = {key: [getattr(one, key) for _, one in found] for key in SAID}
    return pl.DataFrame(columns | said, schema=AS_SAID, strict=False)


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def _unread(segment: str, lines: list[tuple[int, Entry | Broken]]) -> Iterator[dict[str, Any]]:
    for _, one in lines:
        if isinstance(one, Broken):
            yield {"file": segment, "line": one.line, "image": None, "reason": one.reason}
