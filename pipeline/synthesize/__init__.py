"""Paints variations of hard cases, both with and without roadwork, and drops the bad ones."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_never

import cv2
import numpy as np
import polars as pl

from inference_runtime import preprocess
from pipeline import challenge, images, samples
from pipeline.params import Synthesize
from pipeline.progress import Progress
from pipeline.synthesize.order import Order, Painter

PROFILE = "2026-01"
DROPPED = {"image": pl.String, "parent": pl.String, "reason": pl.String}
# What went wrong teaches most; what was drawn blindly was not hard at all.
ORDER = ("mistake", "margin")
DARK = 60.0  # mean grey level under which a street is lit by lamps, not by the sky


def run(params: Synthesize, mine: Path, out: Path) -> None:
    orders = list(ordered(samples.read(mine), params))
    paint = painter(params)
    kept, dropped = [], []
    for order in Progress(orders, "synthesize: pictures painted"):
        data = paint(order)
        if fault := faulty(data, params):
            dropped.append({"image": images.name(data), "parent": order.case, "reason": fault})
        else:
            kept.append(_row(order, data, params.painter))
    samples.write(
        samples.frame(kept, samples.PAINTED).unique("image", keep="first", maintain_order=True), out
    )
    samples.write(samples.frame(dropped, DROPPED), out, "dropped.parquet")
    (out / "summary.json").write_text(json.dumps({"painted": len(kept), "dropped": len(dropped)}))


def ordered(cases: pl.DataFrame, params: Synthesize) -> Iterator[Order]:
    """Round the hard cases, worst first, each with and then without roadwork, until the budget is spent."""
    rank = pl.col("reason").replace_strict(list(ORDER), [0, 1], default=2, return_dtype=pl.Int8)
    hard = cases.with_columns(rank=rank).filter(pl.col("rank") < 2)
    rows = hard.sort(["rank", "score", "image"], descending=[False, True, False]).rows(named=True)
    for number in range(params.images if rows else 0):
        row, turn = rows[number // 2 % len(rows)], number // 2 // len(rows)
        label = number % 2
        seed = challenge.seed_of(row["image"], f"paint/{params.seed}/{turn}/{label}") % 2**31
        yield Order(row["image"], row["family"], label, tuple(row["tags"]) or seen(row["image"]), seed)


def seen(image: str) -> tuple[str, ...]:
    """Conditions that can be told from the picture alone, for a case nobody has tagged."""
    grey = cv2.cvtColor(preprocess.decode(images.read(image)), cv2.COLOR_RGB2GRAY)
    return ("night",) if float(grey.mean()) < DARK else ()


def painter(params: Synthesize) -> Painter:
    match params.painter:
        case "procedural":
            from pipeline.synthesize import procedural

            return procedural.paint_order
        case unknown:
            assert_never(unknown)


def faulty(data: bytes, params: Synthesize) -> str | None:
    grey = cv2.cvtColor(preprocess.decode(data), cv2.COLOR_RGB2GRAY)
    contrast = float(np.std(grey))
    return f"blank: contrast {contrast:.1f}" if contrast < params.min_contrast else None


def _row(order: Order, data: bytes, source: str) -> dict[str, Any]:
    picture = images.admit(data)
    return {
        "image": picture.image,
        "source": source,
        "family": order.family,
        "parent": order.case,
        "profile": PROFILE,
        "width": picture.width,
        "height": picture.height,
        "label": order.label,
        "labeler": source,
        "tags": sorted(order.tags),
        "seed": order.seed,
    }
