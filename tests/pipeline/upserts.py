"""Rows to fill a FiftyOne dataset with, for pieces that run as `Forks`."""

from datetime import UTC, datetime
from typing import Any

import polars as pl

from pipeline import fiftyone_view, samples


def fill(dataset: str, rows: int) -> None:
    with fiftyone_view.opened(dataset) as view:
        view.upsert(table(rows))
        view.show_cases(cases(rows))


def table(count: int) -> pl.DataFrame:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    rows: list[dict[str, Any]] = [
        {"image": f"{number:064x}", "source": "challenge", "tags": ["night"], "p": number % 97 / 97}
        | ({"label": number % 2, "labeler": "ann", "labelled_at": at} if number % 3 == 0 else {})
        for number in range(count)
    ]
    return samples.frame(rows, samples.PULLED)


def cases(count: int) -> pl.DataFrame:
    some = table(count)[: count // 10].with_columns(reason=pl.lit("margin"), score=pl.lit(0.5))
    return some.filter(pl.col("label").is_null())
