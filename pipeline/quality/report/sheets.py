"""Contact sheets: the pictures that somebody should look at, and why."""

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import polars as pl

from pipeline import images, samples
from pipeline.page import thumbs

SHOWN = 18
FAMILIES, MEMBERS = 6, 6


def sheet(rows: pl.DataFrame, caption: Callable[[dict[str, Any]], str], shown: int = SHOWN) -> str:
    """Pictures that are gone from the house are left out, not the page."""
    figures = [
        thumbs.figure(row["image"], escape(str(row["image"][:12])), caption(row))
        for row in rows.head(shown).iter_rows(named=True)
        if images.path(row["image"]).exists()
    ]
    return f"<div class=items>{''.join(figures)}</div>" if figures else ""


def suspect(row: dict[str, Any]) -> str:
    sure = row["p"] if row["label"] == 0 else 1 - row["p"]
    other = samples.CLASSES[1 - row["label"]]
    return (
        f"<b>said {samples.CLASSES[row['label']]}</b><br>{sure:.0%} sure of {other}<br>{_mark(row['image'])}"
    )


def fault(row: dict[str, Any]) -> str:
    return f"<b>{escape(', '.join(row['faults']))}</b><br>{_mark(row['image'])}"


def case(row: dict[str, Any]) -> str:
    said = "" if row["p"] is None else f" · {row['p']:.2f}"
    return f"<b>{escape(str(row['reason']))}</b>{said}<br>{escape(' '.join(row['tags'] or []))}"


def families(table: pl.DataFrame) -> Iterator[str]:
    """The largest, a row of pictures each."""
    several = table.filter(pl.len().over("family") > 1)
    sizes = several.group_by("family").len().sort("len", "family", descending=[True, False])
    for family, size in sizes.head(FAMILIES).iter_rows():
        members = several.filter(family=family).sort("image")
        yield f"<p>{size:,} pictures</p>" + sheet(members, _member, MEMBERS)


def _member(row: dict[str, Any]) -> str:
    return f"<b>{escape(row['split'] or 'left out')}</b><br>{escape(row['source'])}"


def _mark(image: str) -> str:
    return f"<code>{image[:12]}</code>"
