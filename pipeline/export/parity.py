"""Proves that each engine of a bundle, asked through the real runtime, is the function that was trained."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from inference_runtime.bundle import Bundle
from inference_runtime.errors import Fixable
from inference_runtime.predictor import Predictor, sigmoid
from inference_runtime.preprocess import Pixels, Preprocess
from pipeline import challenge, features
from pipeline.classifier import Classifier
from pipeline.params import Budget

Logits = NDArray[np.floating[Any]]

FENCE = 0.02  # a flip nearer to .5 than this is rounding


@dataclass(frozen=True)
class Asked:
    """Views of dev images, as the model meets them, and what is true of each."""

    pixels: Pixels
    labels: NDArray[np.int8]


@dataclass(frozen=True)
class Parity:
    views: int
    logit: float  # the largest distance of two logits
    flips: float  # share of views that are answered otherwise
    clear_flips: float  # those of them that torch was not in doubt about
    reward: float  # what the engine earns less than torch

    def json(self) -> dict[str, Any]:
        """Rounded, so that the last bits of a sum are no part of a bundle's id."""
        rounded = {key: round(value, 4) for key, value in asdict(self).items()}
        return rounded | {"views": self.views, "logit": float(f"{self.logit:.0e}")}


def asked(table: pl.DataFrame, count: int, spec: Preprocess) -> Asked:
    dev = table.filter(pl.col("split") == "dev", pl.col("label").is_not_null()).sort("image").head(count)
    if not dev.height:
        raise Fixable("artifacts/assemble: split dev is empty; label more, or raise params.yaml assemble.dev")
    wanted = features.index_of(dev, math.ceil(count / dev.height)).head(count)
    looks = [features.look(image, [view], spec)[0] for image, view in wanted.iter_rows()]
    labels = wanted.join(dev.select("image", "label"), on="image", how="left", maintain_order="left")
    return Asked(np.stack(looks), labels["label"].to_numpy().astype(np.int8))


def trained(model: Classifier, pixels: Pixels) -> Logits:
    with features.one_thread(), torch.inference_mode():
        return np.concatenate([model(torch.from_numpy(one[None])).numpy() for one in pixels])


def served(bundle: Bundle, engine: str, pixels: Pixels) -> Logits:
    # One thread, so that the figures, and with them the bundle's id, do not hang on this machine's cores.
    with features.one_thread():
        p = Predictor(bundle, threads=1, engine=engine).probabilities(pixels)
    logits: Logits = np.log(p) - np.log1p(-p)
    return logits


def compared(expected: Logits, given: Logits, labels: NDArray[np.int8]) -> Parity:
    p, q = sigmoid(expected), sigmoid(given)
    flips = (p > 0.5) != (q > 0.5)
    return Parity(
        views=len(expected),
        logit=float(np.abs(given - expected).max()),
        flips=float(flips.mean()),
        clear_flips=float((flips & (np.abs(p - 0.5) > FENCE)).mean()),
        reward=challenge.expected_reward(labels, p) - challenge.expected_reward(labels, q),
    )


def overspent(parity: Parity, budget: Budget) -> Iterator[str]:
    """What the budget does not allow, in words; NaN is over any budget."""
    for key in ("logit", "flips", "clear_flips", "reward"):
        found, allowed = getattr(parity, key), getattr(budget, key)
        if not found <= allowed:
            yield f"{key} {found:.2g} is over {allowed:g}"
