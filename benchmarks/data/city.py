"""A journal of small generated pictures, and vectors for them, as if a backbone had seen them."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from inference_runtime.entries import Entry
from inference_runtime.segment import line_of
from pipeline import features, images
from pipeline.features.cache import Cache
from pipeline.params import Backbone

EACH = 4
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
BASE, GOLD = 100, 50
SCENES, SMOOTH, WIDTH = 300, 48, 1280  # pictures come in scenes that few directions tell apart, as real ones
BATCH = 10_000


def arrive(folder: Path, backbone: Backbone, first: int, count: int) -> None:
    """Journals pictures from the number `first` on, a segment for each 10,000; the sets go with the first."""
    if first == 0:
        for name, size in (("base", BASE), ("gold", GOLD)):
            labelled_set(folder / name, size, backbone)
    for start in range(first, first + count, BATCH):
        names = pictured(folder / "journal", range(start, min(start + BATCH, first + count)))
        remembered(names, features.AS_SENT, backbone, start)
        segment(folder / "journal" / "segments", names, start)
        labelled(folder / "labels", names[:: max(10, count // 2000)], start)


def pictured(journal: Path, numbers: range) -> list[str]:
    names = []
    for number in numbers:
        data = picture(b"p%011d" % number)
        names.append(images.name(data))
        file = journal / "images" / names[-1][:2] / f"{names[-1]}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return names


def picture(comment: bytes) -> bytes:
    """A JPEG like no other by its comment: drawing another would say no more and take longer."""
    plain = _plain()
    return plain[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + plain[2:]


@cache
def _plain() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (16, 16), (90, 120, 60)).save(data, "JPEG")
    return data.getvalue()


def remembered(names: list[str], profile: str, backbone: Backbone, seed: int) -> None:
    """Puts vectors of all views that a night may ask for into the cache."""
    views = features.index_of(pl.DataFrame({"image": names}).with_columns(profile=pl.lit(profile)), 4)
    with Cache(features.cache_of(backbone)) as cache:
        vectors = np.concatenate(list(_vectors(views.height, seed)))
        cache.write(cache.missing(views), vectors)


def _vectors(count: int, seed: int) -> Iterator[NDArray[np.float32]]:
    fixed = np.random.default_rng(72)
    turn = fixed.normal(size=(SMOOTH, WIDTH)).astype(np.float32)
    scenes = fixed.normal(size=(SCENES, SMOOTH)).astype(np.float32)
    rng = np.random.default_rng(seed)
    for start in range(0, count, 1000):
        size = min(1000, count - start)
        scene = scenes[rng.integers(0, SCENES, size)]
        own = rng.normal(size=(size, SMOOTH)) * rng.choice([0.02, 0.6], (size, 1), p=[0.03, 0.97])
        yield ((scene + own) @ turn + 0.3 * rng.normal(size=(size, WIDTH))).astype(np.float32)


def segment(folder: Path, names: list[str], start: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    at = BEGAN + timedelta(seconds=start)
    name = f"{at:%Y%m%dT%H%M%SZ}-{start:08x}"
    rng = np.random.default_rng(start)
    with (folder / f"{name}.log").open("wb") as file:
        for line, image in enumerate(names * EACH, 1):
            moment = f"{at + timedelta(milliseconds=line):%Y-%m-%dT%H:%M:%S.%fZ}"
            entry = Entry(f"{name}-{line}", moment, image, float(rng.random()), "b" * 16, 16, 16, 3.0)
            file.write(line_of(entry.said()))


def labelled(folder: Path, names: list[str], start: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{start:08}.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "label", "labeler", "at"))
        rows.writerows((name, int(name[0], 16) % 2, "ann", "2026-02-01T00:00:00Z") for name in names)


def labelled_set(folder: Path, count: int, backbone: Backbone) -> None:
    folder.mkdir(parents=True)
    names = []
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "label", "tags"))
        for number in range(count):
            data = picture(b"%s%08d" % (folder.name.encode(), number))
            names.append(images.name(data))
            (folder / f"{number}.jpg").write_bytes(data)
            rows.writerow((f"{number}.jpg", number % 2, ""))
    remembered(names, "2026-01", backbone, len(folder.name))
