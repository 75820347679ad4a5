"""Which pictures show the same street: the nearest by their vectors, laid over one another."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import backbones, features, neighbours
from pipeline.kin import book, metric, register
from pipeline.kin.book import Book, Pair
from pipeline.kin.register import Sketch
from pipeline.params import Backbone, Kin
from pipeline.progress import Progress

CHUNK = 32  # pictures between two entries in the book
SKETCHES = 4000  # kept in memory, with what was made of them half a megabyte each at most

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]
Question = tuple[int, int, Callable[[Sketch, Sketch], float]]


def pairs(table: pl.DataFrame, params: Kin, backbone: Backbone) -> pl.DataFrame:
    """Columns one, other, likeness: all pairs among these pictures that are likely enough the same street."""
    images = set(table["image"])
    with book.opened(_facts(params, backbone)) as known:
        _search(known, table.select("image", "profile", "source").unique("image"), params, backbone)
        found = [
            (pair.one, pair.other, pair.likeness)
            for pair in known.pairs()
            if pair.likeness >= params.likeness and pair.one in images and pair.other in images
        ]
    schema = {"one": pl.String, "other": pl.String, "likeness": pl.Float64}
    return pl.DataFrame(found, schema=schema, orient="row")


def _facts(params: Kin, backbone: Backbone) -> str:
    """All that decides what is found, but for the likeness that counts as kin."""
    seen = [backbone.name, backbones.identity(backbone), backbone.spec.to_json()]
    return json.dumps([*seen, register.VERSION, params.near, params.looked])


def _search(known: Book, table: pl.DataFrame, params: Kin, backbone: Backbone) -> None:
    """Compares what is new with all that was ever compared, so that no pair is missed whatever came when."""
    before = known.searched()
    new = table.filter(~pl.col("image").is_in(before.keys())).sort("image")
    if not new.height:
        return
    old = before.keys() - set(table["image"])
    gone = pl.DataFrame([(image, *before[image]) for image in sorted(old)], schema=table.schema, orient="row")
    pool = pl.concat([new, table.filter(pl.col("image").is_in(before.keys())).sort("image"), gone])
    hunt = Hunt(pool, new.height, metric.vectors(pool, backbone), params)
    with _comparing() as compare:
        for start in Progress(range(0, new.height, CHUNK), "kin"):
            rows = np.arange(start, min(start + CHUNK, new.height))
            questions = list(hunt.questions(rows))
            named = [(hunt.images[one], hunt.images[other], ask) for one, other, ask in questions]
            known.write(list(new[rows.tolist()].iter_rows()), _best(named, compare(named)))


class Hunt:
    """Pictures, the new ones first, and what is worth laying over what."""

    def __init__(self, pool: pl.DataFrame, new: int, vectors: Vectors, params: Kin) -> None:
        self.images: list[str] = pool["image"].to_list()
        self._new = new
        self._vectors, self._params = vectors, params
        self._crop = (pool["profile"] == features.AS_SENT).to_numpy()

    def questions(self, rows: Rows) -> Iterator[Question]:
        """A copy or a burst is very like; a crop need only be among the likest of the frames, and a frame's
        crops among the likest of the crops."""
        everything = np.arange(len(self.images))
        asked = {self._sorted(one, other) for one, other in self._near(rows, everything, self._params.near)}
        yield from ((one, other, register.alike) for one, other in sorted(asked))
        old_crops = np.flatnonzero(self._crop)
        old_crops = old_crops[old_crops >= self._new]  # a new crop asks for itself
        cut = set(self._near(rows[self._crop[rows]], np.flatnonzero(~self._crop)))
        cut |= {(crop, frame) for frame, crop in self._near(rows[~self._crop[rows]], old_crops)}
        yield from ((crop, frame, register.inside) for crop, frame in sorted(cut))

    def _near(self, rows: Rows, among: Rows, least: float = -1.0) -> Iterator[tuple[int, int]]:
        if not len(rows) or not len(among):
            return
        places, alike = neighbours.nearest(self._vectors[rows], self._vectors[among], self._params.looked + 1)
        for row, near, likeness in zip(rows, among[places], alike, strict=True):
            yield from ((int(row), int(other)) for other in near[likeness >= least] if other != row)

    def _sorted(self, one: int, other: int) -> tuple[int, int]:
        return (one, other) if self.images[one] < self.images[other] else (other, one)


Named = tuple[str, str, Callable[[Sketch, Sketch], float]]


@contextmanager
def _comparing() -> Iterator[Callable[[Sequence[Named]], list[float]]]:
    sketch = lru_cache(SKETCHES)(register.sketch)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # pairs are compared side by side
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        try:
            yield lambda asked: list(
                workers.map(lambda pair: pair[2](sketch(pair[0]), sketch(pair[1])), asked)
            )
        finally:
            cv2.setNumThreads(threads)


def _best(asked: Sequence[Named], likeness: Sequence[float]) -> list[Pair]:
    """Of each pair the better of its answers; what is no worth to the book is left out."""
    best: dict[tuple[str, str], float] = {}
    for (one, other, _), found in zip(asked, likeness, strict=True):
        pair = (one, other) if one < other else (other, one)
        best[pair] = max(best.get(pair, -1.0), found)
    return [Pair(*pair, round(found, 4)) for pair, found in sorted(best.items()) if found >= register.WORTH]
