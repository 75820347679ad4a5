"""An engine: prepared pixels in, logits out."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference_runtime.bundle import Bundle
from inference_runtime.errors import BundleError
from inference_runtime.preprocess import Pixels


class Engine(Protocol):
    name: str

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        """uint8 [N, height, width, 3] to float32 [N]; safe to call from several threads."""
        ...


# Ways to run the entry `torch`, which is weights alone.
OF_WEIGHTS = ("torch", "torch-compile", "torch-triton")


def engine_for(bundle: Bundle, name: str = "onnx", threads: int | None = None) -> Engine:
    """`threads` work on one picture; None leaves the number to the engine."""
    if ("torch" if name in OF_WEIGHTS else name) not in bundle.engines:
        held = ", ".join(sorted(bundle.engines))
        raise BundleError(f"{bundle.folder}: engines has no {name!r}, only {held}; export it or name another")
    match name:
        case "onnx" | "onnx-fp16" | "onnx-int8":
            from inference_runtime.engines.onnx import OnnxEngine

            return OnnxEngine(bundle, threads, name)
        case "tensorrt":
            from inference_runtime.engines.tensorrt import TensorRtEngine

            return TensorRtEngine(bundle)
        case "torch" | "torch-compile" | "torch-triton":
            from inference_runtime.engines.fleet import on_every_gpu

            return on_every_gpu(bundle, name)
        case _:
            raise BundleError(f"{bundle.folder}: engines.{name} is unknown to this runtime; upgrade it")
