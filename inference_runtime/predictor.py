"""Bytes in, probability out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_runtime import preprocess
from inference_runtime.bundle import Bundle
from inference_runtime.engines import engine_for
from inference_runtime.errors import ImageError
from inference_runtime.picture import Picture
from inference_runtime.preprocess import Pixels, Preprocess


@dataclass(frozen=True)
class Advice:
    """What the answer would have been without a second opinion, what that was, and whose."""

    first: float
    second: float
    by: str


@dataclass(frozen=True)
class Answer:
    """What one bundle says about one image, after a second opinion if one was asked for and came."""

    p: float
    logit: float
    image: str
    bundle: str
    width: int
    height: int
    advice: Advice | None = None

    @property
    def own_p(self) -> float:
        """Of the bundle alone."""
        return self.advice.first if self.advice else self.p


@dataclass(frozen=True)
class Prepared:
    """One image as a model of this spec meets it."""

    image: str
    width: int
    height: int
    pixels: Pixels
    spec: Preprocess


class Predictor:
    def __init__(
        self, bundle: Bundle, threads: int | None = None, engine: str = "onnx", because: str = "asked for"
    ) -> None:
        self.bundle, self.because = bundle, because
        self.spec = bundle.preprocess
        self._engine = engine_for(bundle, engine, threads)

    @property
    def engine(self) -> str:
        return self._engine.name

    def predict(self, images: Sequence[bytes]) -> list[Answer | ImageError]:
        """One result per image, in order; a broken image costs its neighbours nothing."""
        return [self._answer_or_error(data) for data in images]

    def probabilities(self, pixels: Pixels) -> NDArray[np.float64]:
        """Of prepared pixels, uint8 [N, height, width, 3]."""
        return sigmoid(self.logits(pixels))

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        return self._engine.logits(pixels)

    def prepare(self, picture: Picture) -> Prepared:
        """Named last, by when another thread may have done it; not in `answer`, whose time is the model's."""
        pixels, (width, height) = preprocess.look(picture.data, self.spec)
        return Prepared(picture.name(), width, height, pixels, self.spec)

    def answer(self, prepared: Prepared) -> Answer:
        logits = self._engine.logits(prepared.pixels[None])
        if math.isnan(logits[0]):
            raise ImageError("image: the model finds no number for it")
        return Answer(
            p=0.5 * (1.0 + math.tanh(0.5 * float(logits[0]))),  # `sigmoid` of one, without arrays
            logit=float(logits[0]),
            image=prepared.image,
            bundle=self.bundle.id,
            width=prepared.width,
            height=prepared.height,
        )

    def _answer_or_error(self, data: bytes) -> Answer | ImageError:
        try:
            return self.answer(self.prepare(Picture(data)))
        except ImageError as error:
            return ImageError(str(error))  # without a traceback, that would hold the caller and its images


def logit_of(p: float) -> float:
    """Of a probability, kept within what a float32 sigmoid can tell."""
    p = min(max(p, 1e-7), 1 - 1e-7)
    return math.log(p / (1 - p))


def sigmoid(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """By tanh, which no logit can overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * logits.astype(np.float64)))
