"""What every peer does with a request: one of two ways to prepare pixels, then the same ONNX model."""

import os
from collections.abc import Callable, Sequence
from io import BytesIO

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

SIDE = 224
Pixels = NDArray[np.uint8]


class Work:
    """`threads` work on one picture; 0 leaves the number to ONNX Runtime, as a first page does."""

    def __init__(self, threads: int = 0, model: str = "", prepares: str = "") -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        file = model or os.environ["MODEL"]
        self._session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._prepare = _ours() if (prepares or os.environ["PREPARES"]) == "ours" else _pillow

    def one(self, image: bytes) -> dict[str, float]:
        logit = self._session.run(["logit"], {"pixels": self._prepare(image)[None]})[0][0]
        return {"p": 1 / (1 + float(np.exp(-logit)))}

    def many(self, images: Sequence[bytes]) -> list[dict[str, float]]:
        pixels = np.stack([self._prepare(image) for image in images])
        logits = self._session.run(["logit"], {"pixels": pixels})[0]
        return [{"p": float(p)} for p in 1 / (1 + np.exp(-logits.astype(np.float64)))]


def _pillow(image: bytes) -> Pixels:
    """As anybody would write it."""
    with Image.open(BytesIO(image)) as opened:
        return np.asarray(opened.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _ours() -> Callable[[bytes], Pixels]:
    from inference_runtime.preprocess import Preprocess, prepare

    spec = Preprocess(SIDE, SIDE)
    return lambda image: prepare(image, spec)
