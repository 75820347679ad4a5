"""The challenges of one campaign: half of them roadwork, each a view of a picture, all decided by a seed."""

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from inference_runtime import preprocess
from inference_runtime.errors import Fixable, ImageError
from pipeline import challenge
from pipeline.progress import Progress
from pipeline.replay.answering import Ask
from pipeline.replay.pictures import Picture
from pipeline.world import validators
from pipeline.world.paint import paint

COLUMNS: dict[str, Any] = {
    "number": pl.Int64,
    "picture": pl.String,
    "source": pl.String,
    "label": pl.Int8,
    "tags": pl.List(pl.String),
    "level": pl.Int8,  # null where the profile has none
    "seen": pl.Boolean,  # whether the crop still shows the roadwork; null where nobody knows
    "p": pl.Float64,
}


def played(pictures: Sequence[Picture], ask: Ask, profile: str, count: int, seed: int) -> pl.DataFrame:
    """A row per challenge; the same seed sends the same bytes."""
    kinds: dict[int, list[Picture]] = defaultdict(list)
    for picture in pictures:
        kinds[picture.label].append(picture)

    def one(number: int) -> dict[str, Any]:
        picture, view_seed = drawn(kinds, seed, number)
        view = challenge.view(_frame(picture), profile, view_seed)
        return _row(number, picture, profile, view_seed) | {"p": ask(challenge.encode(view))}

    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        rows = list(Progress(pool.map(one, range(count)), "replay: challenges", count))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def drawn(kinds: dict[int, list[Picture]], seed: int, number: int) -> tuple[Picture, int]:
    """The picture of a challenge and the seed of its view."""
    rng = np.random.default_rng(challenge.seed_of(str(seed), f"replay/{number}"))
    of = kinds[int(rng.integers(2))]
    return of[int(rng.integers(len(of)))], challenge.seed_of(str(seed), f"replay view/{number}")


def _row(number: int, picture: Picture, profile: str, view_seed: int) -> dict[str, Any]:
    return {
        "number": number,
        "picture": picture.file.name,
        "source": picture.source,
        "label": picture.label,
        "tags": list(picture.tags),
        "level": challenge.level_of(view_seed) if profile == "2026-01" else None,
        "seen": _seen(picture, profile, view_seed),
    }


def _frame(picture: Picture) -> challenge.Pixels:
    try:
        return preprocess.decode(picture.file.read_bytes())
    except (OSError, ImageError) as error:
        raise Fixable(f"{picture.file}: {' '.join(str(error).split())}; mend or remove it") from None


def _seen(picture: Picture, profile: str, view_seed: int) -> bool | None:
    """Whether the same street without its roadwork would have looked different in this view."""
    scene = picture.scene()
    if scene is None or not scene.works:
        return None
    shown, bare = (
        challenge.view(paint(one), profile, view_seed) for one in (scene, replace(scene, works=()))
    )
    return validators.shows(shown, bare)
