"""Both bundles answer the same pictures, through the runtime that serves them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inference_runtime import bundle, preprocess
from inference_runtime.errors import ImageError
from inference_runtime.predictor import Answer, Predictor
from pipeline import challenge, classifier, images
from pipeline.gate.statistics import Labels, Scores
from pipeline.params import Backbone
from pipeline.progress import Progress

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
    sides = [Predictor(bundle.load(folder)) for folder in (export, champion) if folder is not None]
    asked = table.sort("image")
    answers: list[list[float]] = [[] for _ in sides]
    for image, profile in Progress(list(asked.select("image", "profile").iter_rows()), f"gate: {what}"):
        sent = as_sent(image, profile)
        for side, predictor in zip(answers, sides, strict=True):
            side.append(answered(predictor, sent).p)
    scores = [np.array(side, dtype=np.float64) for side in answers]
    return Answers(
        labels=asked["label"].to_numpy().astype(np.int8),
        families=asked["family"].rank("dense").to_numpy().astype(np.int64),
        challenger=scores[0],
        champion=scores[1] if len(scores) > 1 else None,
    )


def answered(predictor: Predictor, sent: bytes) -> Answer:
    answer = predictor.predict([sent])[0]
    if isinstance(answer, ImageError):
        raise answer
    return answer


def as_sent(image: str, profile: str, turn: int = 0) -> bytes:
    """The JPEG of a view; a picture that came from a validator goes back as it came."""
    if profile == "native":
        return images.read(image)
    pixels = preprocess.decode(images.read(image))
    return challenge.encode(challenge.view(pixels, profile, challenge.seed_of(image, f"gate/{turn}")))


def parity(table: pl.DataFrame, export: Path, backbone: Backbone, views: int) -> Parity:
    """The exported engine through the real runtime against float32 torch, on the same bytes."""
    sent = [as_sent(*row) for row in _repeated(table.sort("image"), views)]
    # One after the other: two engines in turn would fight for the cores with threads that wait by spinning.
    return compared(_served(sent, bundle.load(export)), _expected(sent, export, backbone))


def _served(sent: list[bytes], challenger: bundle.Bundle) -> Scores:
    predictor = Predictor(challenger)
    asked = Progress(sent, "gate: views through the runtime")
    return np.array([answered(predictor, data).logit for data in asked])


def _expected(sent: list[bytes], export: Path, backbone: Backbone) -> Scores:
    import torch

    twin, spec = classifier.from_folder(export, backbone), bundle.load(export).preprocess
    with torch.inference_mode():
        asked = Progress(sent, "gate: views through torch")
        pixels = (torch.from_numpy(preprocess.prepare(data, spec)) for data in asked)
        return np.array([float(twin(one[None])[0]) for one in pixels])


def compared(served: Scores, expected: Scores) -> Parity:
    p, q = 1 / (1 + np.exp(-served)), 1 / (1 + np.exp(-expected))
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
