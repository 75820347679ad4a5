"""Vectors of the views of images: each view meets the backbone once in its life."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import backbones, challenge
from pipeline.features.cache import Cache, Vectors
from pipeline.features.making import CHUNK, make, one_thread
from pipeline.features.views import AS_SENT, index_of, look, sent, view_names
from pipeline.params import Backbone
from pipeline.progress import say

__all__ = ["AS_SENT", "CHUNK", "cache_of", "embed", "index_of", "look", "one_thread", "sent", "view_names"]


def embed(rows: pl.DataFrame, views: int, backbone: Backbone) -> tuple[Vectors, pl.DataFrame]:
    """A vector per view of each row and the frame that says whose (image, view), in the order of `rows`.

    Bit for bit the same whatever was cached before, whatever else is embedded, and after any kill.
    """
    index = index_of(rows, views)
    with Cache(cache_of(backbone)) as cache:
        missing = cache.missing(index)
        say(f"features: {missing.height} new, {index.n_unique() - missing.height} cached")
        if missing.height:
            make(missing, cache, backbone)
        # Fresh vectors, too, are read back: rounded by the cache once, they are the same for ever.
        return cache.read(index), index


def cache_of(backbone: Backbone) -> Path:
    """One cache per thing that decides a vector besides the view itself."""
    facts: dict[str, Any] = {
        "backbone": backbone.name,
        "weights": backbones.identity(backbone),
        "preprocess": backbone.spec.to_json(),
        "challenge": challenge.VERSION,
        "stored": "float16",
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return Path(os.environ.get("FEATURES", "var/features")) / key
