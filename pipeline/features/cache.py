"""Vectors on disk, each under the image and the name of the view."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.features.log import BLOCK, NAME, Halves, Log, Named, sums

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]

NOWHERE = -1


class Cache:
    """Holds float16, half the room at a thousandth of the distance between two pictures.

    `views` are frames with the columns image (a sha256 in hex) and view.
    """

    def __init__(self, folder: Path) -> None:
        self._log = Log(folder)
        self._row: dict[bytes, int] = {}  # of each name its last row: a vector that was lost is written anew
        self._rows = 0
        self._sums = np.empty(0, np.uint64)

    def __enter__(self) -> "Cache":
        self._log.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._log.__exit__()

    def missing(self, views: pl.DataFrame) -> pl.DataFrame:
        """Those not held, or not held whole, each once."""
        # One look: what another writer adds after it is told from what was there, when these are written.
        self._refresh()
        views = views.unique(maintain_order=True)
        named = _named(views)
        lost = self._find(named) == NOWHERE
        lost[~lost] = ~self._sound(named[~lost])
        return views.filter(pl.Series(lost, dtype=pl.Boolean))

    def write(self, views: pl.DataFrame, vectors: Vectors) -> None:
        """Of views that were missing all or none; those that another has written since then stay."""
        named, halves = _named(views), np.ascontiguousarray(vectors, np.float16)
        named["sum"] = sums(named, halves)

        def chosen(since: Named) -> tuple[Named, Halves]:
            theirs = set(since["name"].tolist())
            ours = np.array([name not in theirs for name in named["name"].tolist()], bool)
            return named[ours], halves[ours]

        self._log.append(self._rows, chosen)

    def read(self, views: pl.DataFrame) -> Vectors:
        """A row per view, in that order; all must be held."""
        self._refresh()
        at = self._find(_named(views))
        if (at == NOWHERE).any():
            raise KeyError(f"{np.count_nonzero(at == NOWHERE)} of {len(at)} views are not held")
        mapped = self._log.vectors(self._rows)
        found = np.empty((len(at), mapped.shape[1]), np.float32)
        for part in _parts(len(at)):
            found[part] = mapped[at[part]]
        return found

    def _find(self, named: Named) -> Rows:
        return np.array([self._row.get(name, NOWHERE) for name in named["name"].tolist()], np.int64)

    def _refresh(self) -> None:
        new = self._log.names(self._rows)
        self._row.update(zip(new["name"].tolist(), range(self._rows, self._rows + len(new)), strict=True))
        self._rows += len(new)
        self._sums = np.concatenate([self._sums, new["sum"]]) if len(new) else self._sums

    def _sound(self, named: Named) -> NDArray[np.bool_]:
        at, mapped = self._find(named), self._log.vectors(self._rows)
        sound = at < len(mapped)
        for part in _parts(len(at)):
            held = at[part][sound[part]]
            sound[part][sound[part]] = sums(named[part][sound[part]], mapped[held]) == self._sums[held]
        return sound


def _named(views: pl.DataFrame) -> Named:
    """Half of the image's hash and a hash of the view: 24 bytes that no other view shares."""
    named = np.zeros(views.height, NAME)
    images = np.frombuffer(bytes.fromhex("".join(views["image"])), "V32")
    hashed = {view: hashlib.blake2b(view.encode(), digest_size=8).digest() for view in views["view"].unique()}
    names = (image[:16] + hashed[view] for image, view in zip(images.tolist(), views["view"], strict=True))
    named["name"] = np.frombuffer(b"".join(names), "V24")
    return named


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))
