"""Bytes in, probability out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_runtime import preprocess
from inference_runtime.bundle import Bundle
from inference_runtime.engines import engine_for
from inference_runtime.errors import BundleError, ImageError
from inference_runtime.preprocess import Pixels


@dataclass(frozen=True)
class Answer:
    """What one bundle says about one image."""

    p: float
    logit: float
    image: str
    bundle: str
    width: int
    height: int


class Predictor:
    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.bundle = bundle
        self._spec = bundle.preprocess
        self._engine = engine_for(bundle, threads=threads)

    @property
    def engine(self) -> str:
        return self._engine.name

    def predict(self, images: Sequence[bytes]) -> list[Answer | ImageError]:
        """One result per image, in order; a broken image costs its neighbours nothing."""
        return [self._answer(data) for data in images]

    def probabilities(self, pixels: Pixels) -> NDArray[np.float64]:
        """Of prepared pixels, uint8 [N, height, width, 3]."""
        return sigmoid(self._engine.logits(pixels))

    def warm(self) -> None:
        """Answers one grey picture, so that the first real one waits for nothing and meets no surprise."""
        grey = np.full((1, self._spec.height, self._spec.width, 3), 127, np.uint8)
        logits = self._engine.logits(grey)
        if logits.shape != (1,) or not np.isfinite(logits).all():
            raise BundleError(f"{self.bundle.folder}: answers {logits} to a grey picture; export it again")

    def _answer(self, data: bytes) -> Answer | ImageError:
        try:
            picture = preprocess.picture(data)
        except ImageError as error:
            return error
        logits = self._engine.logits(preprocess.squash(picture, self._spec)[None])
        if np.isnan(logits[0]):
            return ImageError("image: the model finds no number for it")
        return Answer(
            p=float(sigmoid(logits)[0]),
            logit=float(logits[0]),
            image=hashlib.sha256(data).hexdigest(),
            bundle=self.bundle.id,
            width=picture.width,
            height=picture.height,
        )


def sigmoid(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """By tanh, which no logit can overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * logits.astype(np.float64)))
