"""Both bundles answer the same pictures, through the runtime that serves them."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inference_runtime import bundle, preprocess
from inference_runtime.errors import ImageError
from inference_runtime.predictor import Answer, Predictor, sigmoid
from pipeline import classifier, features, images
from pipeline.gate.statistics import Labels, Scores
from pipeline.params import Backbone
from pipeline.progress import Progress

T = TypeVar("T")
U = TypeVar("U")

CLEAR = 0.02  # a flip nearer to the fence than this is rounding


@dataclass(frozen=True)
class Answers:
    """One row per picture, in the order of the table."""

    labels: Labels
    families: NDArray[np.int64]
    challenger: Scores
    champion: Scores | None


@dataclass(frozen=True)
class Parity:
    views: int
    max_logit: float
    flips: int
    clear_flips: int


def met(table: pl.DataFrame, export: Path, champion: Path | None, what: str) -> Answers:
    """The answers of both to one view of each picture, as a validator would have sent it."""
    asked = table.sort("image")
    rows = list(asked.select("image", "profile").iter_rows())
    sent = _each(lambda row: as_sent(*row), rows, f"gate: {what} prepared")
    sides = [_asked(folder, sent, what) for folder in (export, champion) if folder is not None]
    return Answers(
        labels=asked["label"].to_numpy().astype(np.int8),
        families=asked["family"].rank("dense").to_numpy().astype(np.int64),
        challenger=sigmoid(sides[0]),
        champion=sigmoid(sides[1]) if len(sides) > 1 else None,
    )


def _asked(folder: Path, sent: list[bytes], what: str) -> Scores:
    """Logits of one bundle, through the runtime."""
    # A thread a picture, not a picture a core: engines whose threads wait for each other wait by spinning.
    predictor = Predictor(bundle.load(folder), threads=1)
    return np.array(_each(lambda data: answered(predictor, data).logit, sent, f"gate: {what} answered"))


def _each(do: Callable[[T], U], items: list[T], what: str) -> list[U]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(Progress(pool.map(do, items), what, len(items)))


def answered(predictor: Predictor, sent: bytes) -> Answer:
    answer = predictor.predict([sent])[0]
    if isinstance(answer, ImageError):
        raise answer
    return answer


def as_sent(image: str, profile: str, turn: int = 0) -> bytes:
    """A view as a validator would send it; what one did send goes back as it came."""
    data = images.read(image)
    if profile == features.AS_SENT:
        return data
    return features.sent(preprocess.decode(data), image, f"{profile}/gate/{turn}")


def parity(table: pl.DataFrame, export: Path, backbone: Backbone, views: int) -> Parity:
    """The exported engine through the real runtime against float32 torch, on the same bytes."""
    sent = [as_sent(*row) for row in _repeated(table.sort("image"), views)]
    return compared(_asked(export, sent, "views for parity"), _expected(sent, export, backbone))


def _expected(sent: list[bytes], export: Path, backbone: Backbone) -> Scores:
    import torch

    twin, spec = classifier.from_folder(export, backbone), bundle.load(export).preprocess

    def logit(data: bytes) -> float:
        torch.set_num_threads(1)  # holds for the thread that says it
        with torch.inference_mode():
            return float(twin(torch.from_numpy(preprocess.prepare(data, spec)[None]))[0])

    return np.array(_each(logit, sent, "gate: views for parity answered by torch"))


def compared(served: Scores, expected: Scores) -> Parity:
    p, q = sigmoid(served), sigmoid(expected)
    flips = (p > 0.5) != (q > 0.5)
    return Parity(
        views=len(served),
        max_logit=float(np.abs(served - expected).max()),
        flips=int(flips.sum()),
        clear_flips=int((flips & (np.abs(q - 0.5) > CLEAR)).sum()),
    )


def _repeated(table: pl.DataFrame, views: int) -> list[tuple[str, str, int]]:
    """Rows of (image, profile, turn), gone round until there are enough views."""
    pictures = list(table.select("image", "profile").iter_rows())
    return [(*pictures[i % len(pictures)], i // len(pictures)) for i in range(views)]
