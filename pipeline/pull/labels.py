"""What people said of a picture. All of it is kept; the latest word counts, the base set's is the oldest."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from inference_runtime.errors import Fixable
from pipeline import samples

COLUMNS = ("image", "label", "labeler", "at")


def handed_in(folder: Path, moment: datetime) -> pl.DataFrame:
    """Labels of every CSV file in a folder (image,label,labeler,at)."""
    rows = [row for file in sorted(folder.glob("*.csv")) for row in _rows(file)]
    return until(samples.frame(rows, samples.SAID), moment)


def until(said: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    return said.filter(pl.col("labelled_at") <= moment)


def apply(known: pl.DataFrame, said: pl.DataFrame, tags: pl.DataFrame | None = None) -> pl.DataFrame:
    latest = said.sort("labelled_at", "labeler").unique("image", keep="last", maintain_order=True)
    table = known.join(latest, on="image", how="left", suffix="_said")
    table = table.with_columns(pl.coalesce(f"{key}_said", key).alias(key) for key in list(samples.SAID)[1:])
    if tags is not None:
        table = table.join(tags, on="image", how="left", suffix="_said").with_columns(
            _both("tags", "tags_said")
        )
    return samples.conform(table, samples.PULLED)


def _both(one: str, other: str) -> pl.Expr:
    empty = pl.lit([], pl.List(pl.String))
    return pl.coalesce(one, empty).list.set_union(pl.coalesce(other, empty)).list.sort().alias(one)


def _rows(file: Path) -> list[dict[str, Any]]:
    with file.open(newline="") as lines:
        reader = csv.DictReader(lines)
        if missing := set(COLUMNS) - set(reader.fieldnames or ()):
            raise Fixable(f"{file}: no column {', '.join(sorted(missing))} in its first line; add it")
        return [_row(file, number, record) for number, record in enumerate(reader, 2)]


def _row(file: Path, number: int, record: dict[str, str]) -> dict[str, Any]:
    try:
        at = datetime.fromisoformat(record["at"])
        label = {"0": 0, "1": 1}[record["label"]]
    except (ValueError, KeyError) as error:
        raise Fixable(
            f"{file}, line {number}: {error} is no label (0 or 1) or no ISO time; correct it"
        ) from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return {"image": record["image"], "label": label, "labeler": record["labeler"], "labelled_at": at}
