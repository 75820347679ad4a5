"""Vectors of the views of images: each view meets the backbone once in its life."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inference_runtime import preprocess
from inference_runtime.errors import Fixable, ImageError
from inference_runtime.preprocess import Pixels, Preprocess
from pipeline import backbones, challenge, images
from pipeline.feature_cache import Cache
from pipeline.params import Backbone
from pipeline.progress import Progress, say

if TYPE_CHECKING:
    from pipeline.backbones.frozen import Frozen

Vectors = NDArray[np.float32]
View = tuple[str, str]  # an image and the name of one of its views
Chunk = dict[str, list[str]]  # images and the names of their views

AS_SENT = "native"  # the profile of a picture that came over the wire already

# Images between two commits to the cache: what a kill can lose, under a second's work.
CHUNK = 8


def view_names(profile: str, views: int) -> list[str]:
    """Only the "2026-01" profile throws dice; of the others one view says all."""
    return [f"{profile}/{number}" for number in range(views if profile == "2026-01" else 1)]


def index_of(rows: pl.DataFrame, views: int) -> pl.DataFrame:
    """A row per view, in the order of `rows`: columns image, view."""
    named = {profile: view_names(profile, views) for profile in rows["profile"].unique()}
    names = pl.Series("view", [named[profile] for profile in rows["profile"]], dtype=pl.List(pl.String))
    return rows.select("image").with_columns(names).explode("view")


def look(image: str, names: Sequence[str], spec: Preprocess) -> list[Pixels]:
    """The named views as the model meets them: after the challenge, the wire's JPEG, the preprocessing."""
    data = _read(image)
    try:
        return [preprocess.prepare(received, spec) for received in _received(data, image, names)]
    except ImageError as error:
        raise Fixable(f"{images.path(image)}: {error}; delete it and run `python -m pipeline pull`") from None


def _received(data: bytes, image: str, names: Sequence[str]) -> Iterator[bytes]:
    """The bytes of each view as a runtime receives them; the frame is decoded once, and only for views."""
    if all(name.startswith(AS_SENT) for name in names):
        yield from [data] * len(names)
    else:
        frame = preprocess.decode(data)
        yield from (data if name.startswith(AS_SENT) else sent(frame, image, name) for name in names)


def embed(rows: pl.DataFrame, views: int, backbone: Backbone) -> tuple[Vectors, pl.DataFrame]:
    """A vector per view of each row and the frame that says whose (image, view), in the order of `rows`.

    Bit for bit the same whatever was cached before, whatever else is embedded, and after any kill.
    """
    index = index_of(rows, views)
    wanted: list[View] = list(index.iter_rows())
    with Cache(_file(backbone)) as cache:
        missing = cache.missing(wanted)
        say(f"features: {len(missing)} new, {len(set(wanted)) - len(missing)} cached")
        if missing:
            _fill(cache, missing, backbone)
        # Fresh vectors, too, are read back: rounded by the cache once, they are the same for ever.
        return cache.read(wanted), index


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order on every machine: how many cores there are must not reach the last bit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fill(cache: Cache, missing: list[View], backbone: Backbone) -> None:
    import torch

    network = backbones.load(backbone).to(_device())
    workers = os.cpu_count() or 1
    with one_thread(), ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        done = (_embed(chunk, cache, network, backbone, pool) for chunk in _chunks(missing))
        for _ in Progress(chain.from_iterable(done), "features", total=len(missing)):
            pass


def _embed(
    chunk: Chunk, cache: Cache, network: "Frozen", backbone: Backbone, pool: ThreadPoolExecutor
) -> list[View]:
    spec = Preprocess(backbone.width, backbone.height)
    shown = pool.map(lambda image: look(image, chunk[image], spec), chunk)
    pixels = np.stack([view for views in shown for view in views])
    starts = range(0, len(pixels), backbone.batch)
    parts = pool.map(lambda at: _forward(network, pixels[at : at + backbone.batch], backbone.batch), starts)
    views = [(image, name) for image, names in chunk.items() for name in names]
    cache.write(views, np.concatenate(list(parts)))
    return views


def _forward(network: "Frozen", pixels: Pixels, batch: int) -> Vectors:
    """Always a full batch: kernels round differently at other sizes."""
    import torch

    padded = np.zeros((batch, *pixels.shape[1:]), np.uint8)
    padded[: len(pixels)] = pixels
    with torch.inference_mode():
        vectors: Vectors = network(torch.from_numpy(padded).to(_device())).cpu().numpy()
    return vectors[: len(pixels)]


def _chunks(missing: list[View]) -> Iterator[Chunk]:
    """All views of an image together, so that it is decoded once."""
    names: Chunk = {}
    for image, name in missing:
        names.setdefault(image, []).append(name)
    listed = list(names)
    for start in range(0, len(listed), CHUNK):
        yield {image: names[image] for image in listed[start : start + CHUNK]}


def _read(image: str) -> bytes:
    try:
        return images.read(image)
    except FileNotFoundError:
        raise Fixable(f"{images.path(image)}: the image is gone; run `python -m pipeline pull`") from None


def sent(frame: Pixels, image: str, name: str) -> bytes:
    """The JPEG of a view as it goes over the wire."""
    profile = name.partition("/")[0]
    return challenge.encode(challenge.view(frame, profile, challenge.seed_of(image, name)))


def _device() -> str:
    return os.environ.get("DEVICE", "cpu")


def _file(backbone: Backbone) -> Path:
    """One cache per thing that decides a vector besides the view itself."""
    facts: dict[str, Any] = {
        "backbone": backbone.name,
        "weights": backbones.identity(backbone),
        "size": [backbone.width, backbone.height],
        "preprocess": preprocess.VERSION,
        "challenge": challenge.VERSION,
        "stored": "float16",
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return Path(os.environ.get("FEATURES", "var/features")) / f"{key}.sqlite"
