"""New views before the backbone, a chunk at a time into the cache."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inference_runtime.preprocess import Pixels
from pipeline import backbones
from pipeline.features.cache import Cache
from pipeline.features.views import look
from pipeline.params import Backbone
from pipeline.progress import Progress

if TYPE_CHECKING:
    from pipeline.backbones.frozen import Frozen

Vectors = NDArray[np.float32]
View = tuple[str, str]  # an image and the name of one of its views

# Images between two commits to the cache: what a kill can lose, under a second's work.
CHUNK = 8


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


def make(missing: pl.DataFrame, cache: Cache, backbone: Backbone) -> None:
    import torch

    network = backbones.load(backbone).to(_device())
    workers = os.cpu_count() or 1
    with one_thread(), ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        done = (_embed(chunk, cache, network, backbone, pool) for chunk in _chunks(missing))
        for _ in Progress(chain.from_iterable(done), "features", total=missing.height):
            pass


def _embed(
    chunk: pl.DataFrame, cache: Cache, network: "Frozen", backbone: Backbone, pool: ThreadPoolExecutor
) -> list[View]:
    """What the chunk names, once it is in the cache; another writer may have been there meanwhile."""
    views = cache.missing(chunk)
    if views.height:
        spec = backbone.spec
        names = _by_image(views)
        shown = pool.map(lambda image: look(image, names[image], spec), names)
        pixels = np.stack([view for views in shown for view in views])
        starts = range(0, len(pixels), backbone.batch)
        parts = pool.map(
            lambda at: _forward(network, pixels[at : at + backbone.batch], backbone.batch), starts
        )
        cache.write(views, np.concatenate(list(parts)))
    return list(chunk.iter_rows())


def _forward(network: "Frozen", pixels: Pixels, batch: int) -> Vectors:
    """Always a full batch: kernels round differently at other sizes."""
    import torch

    padded = np.zeros((batch, *pixels.shape[1:]), np.uint8)
    padded[: len(pixels)] = pixels
    with torch.inference_mode():
        vectors: Vectors = network(torch.from_numpy(padded).to(_device())).cpu().numpy()
    return vectors[: len(pixels)]


def _chunks(missing: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """All views of an image together, so that it is decoded once."""
    views = missing.group_by("image", maintain_order=True).agg("view")
    return (chunk.explode("view") for chunk in views.iter_slices(CHUNK))


def _by_image(views: pl.DataFrame) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for image, name in views.iter_rows():
        names.setdefault(image, []).append(name)
    return names


def _device() -> str:
    return os.environ.get("DEVICE", "cpu")
