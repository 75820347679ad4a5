"""Which views int8's scales are seen on: of train, and each unlike the others."""

import numpy as np
import polars as pl

from inference_runtime.errors import Fixable
from inference_runtime.preprocess import Pixels
from pipeline import features
from pipeline.diversity import farthest_first
from pipeline.params import Backbone


def views(table: pl.DataFrame, backbone: Backbone, count: int) -> Pixels:
    """Their vectors lie in the cache since training; dev and holdout stay unseen."""
    learned = table.filter(split="train").sort("image")
    if not learned.height:
        raise Fixable("artifacts/assemble: split train is empty, so int8 has nothing to be calibrated on")
    vectors, index = features.embed(learned, 1, backbone)
    spec = backbone.spec
    picked = index[farthest_first(vectors, min(count, len(vectors)))]
    return np.stack([features.look(image, [view], spec)[0] for image, view in picked.iter_rows()])
