"""What shall be painted: round the hard cases, worst first, each with and without roadwork."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np
import polars as pl

from inference_runtime import preprocess
from pipeline import challenge, images
from pipeline.params import PainterName, Synthesize
from pipeline.synthesize import aim, prompts
from pipeline.synthesize.order import Mode, Order

# Drawn blindly or as typical, a picture is not hard; where the label is doubtful, nobody knows what to paint.
EASY = ("random", "typical", "doubtful")
DARK = 60.0  # mean grey level under which a street is lit by lamps, not by the sky

Modes = Mapping[PainterName, frozenset[Mode]]
Caption = Callable[[str], str | None]


def orders(
    cases: pl.DataFrame, slices: pl.DataFrame, params: Synthesize, modes: Modes, caption: Caption
) -> list[Order]:
    """Each painter gets its share of the pictures; one that cannot paint any of the cases gets none."""
    rows, weak = hard(cases), aim.weakness(slices)
    shared = [params.images // len(params.painters)] * len(params.painters) if params.painters else []
    for extra in range(params.images % len(params.painters) if params.painters else 0):
        shared[extra] += 1
    return [
        order
        for name, count in zip(params.painters, shared, strict=True)
        for order in _of(name, count, rows, weak, params, modes[name], caption)
    ]


def hard(cases: pl.DataFrame) -> list[dict[str, Any]]:
    # What went wrong teaches most.
    rank = (pl.col("reason") != "mistake").cast(pl.Int8)
    worst = cases.with_columns(rank=rank).filter(~pl.col("reason").is_in(EASY))
    return worst.sort(["rank", "score", "image"], descending=[False, True, False]).to_dicts()


def _of(
    name: PainterName,
    count: int,
    rows: list[dict[str, Any]],
    weak: Mapping[str, float],
    params: Synthesize,
    modes: frozenset[Mode],
    caption: Caption,
) -> Iterator[Order]:
    wanted = [(row, label) for row in rows for label in (0, 1) if mode(row["label"], label, modes)]
    for number in range(count if wanted else 0):
        row, label = wanted[number % len(wanted)]
        turn = number // len(wanted)
        seed = challenge.seed_of(row["image"], f"paint/{params.seed}/{turn}/{label}") % 2**31
        aimed = np.random.default_rng((seed, 5)).random() < params.aim and weak
        tags = aim.drawn(weak, label, seed) if aimed else tuple(row["tags"]) or seen(row["image"])
        how = mode(row["label"], label, modes)
        assert how
        words = prompts.prompt(label, tags, seed, None if how == "text" else caption(row["image"]))
        yield Order(name, how, row["image"], row["family"], label, tags, seed, *words)


def mode(is_roadwork: int | None, wanted: int, modes: frozenset[Mode]) -> Mode | None:
    """How a painter with these modes gets from a case to the wanted label; None if it cannot."""
    best: Mode = "text"
    if is_roadwork is not None:
        best = "image" if is_roadwork == wanted else "add" if wanted else "remove"
    return best if best in modes else "text" if "text" in modes else None


def seen(image: str) -> tuple[str, ...]:
    """Conditions that can be told from the picture alone, for a case nobody has tagged."""
    grey = cv2.cvtColor(preprocess.decode(images.read(image)), cv2.COLOR_RGB2GRAY)
    return ("night",) if float(grey.mean()) < DARK else ()
