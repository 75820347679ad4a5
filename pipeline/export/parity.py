"""Proves that the sealed bundle, asked through the real runtime, is the function that was trained."""

import math
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from inference_runtime.bundle import Bundle
from inference_runtime.errors import Fixable
from inference_runtime.predictor import Predictor
from inference_runtime.preprocess import Pixels
from pipeline import features
from pipeline.classifier import Classifier
from pipeline.params import Export


def measured(bundle: Bundle, model: Classifier, table: pl.DataFrame, params: Export) -> dict[str, Any]:
    """Both answer the same views of dev images; Fixable when their logits are further apart than allowed."""
    pixels = _views(table, params.parity_views, bundle)
    # One thread, so that the figure, and with it the bundle's id, does not hang on this machine's cores.
    served = _logits(Predictor(bundle, threads=1).probabilities(pixels))
    apart = float(np.abs(served - _trained(model, pixels)).max())
    if not apart <= params.parity_logit:
        raise Fixable(
            f"params.yaml: export.parity_logit: the exported engine is {apart:.2g} off, allowed is"
            f" {params.parity_logit:g}; choose another export.opset, or allow more if the gate may judge it"
        )
    return {"parity views": len(pixels), "max logit difference": _one_digit(apart)}


def _views(table: pl.DataFrame, count: int, bundle: Bundle) -> Pixels:
    dev = table.filter(split="dev").sort("image").head(count)
    if not dev.height:
        raise Fixable("artifacts/assemble: split dev is empty; label more, or raise params.yaml assemble.dev")
    wanted = features.index_of(dev, math.ceil(count / dev.height)).head(count)
    looks = [features.look(image, [view], bundle.preprocess)[0] for image, view in wanted.iter_rows()]
    return np.stack(looks)


def _trained(model: Classifier, pixels: Pixels) -> NDArray[np.float32]:
    with features.one_thread(), torch.inference_mode():
        return np.concatenate([model(torch.from_numpy(one[None])).numpy() for one in pixels])


def _logits(p: NDArray[np.float64]) -> NDArray[np.float64]:
    logits: NDArray[np.float64] = np.log(p) - np.log1p(-p)
    return logits


def _one_digit(value: float) -> float:
    return float(f"{value:.0e}")
