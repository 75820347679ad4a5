"""Several GPUs: one engine each, and every batch goes to one that is least busy."""

from collections.abc import Sequence
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from inference_runtime.bundle import Bundle
from inference_runtime.engines import Engine
from inference_runtime.errors import BundleError
from inference_runtime.preprocess import Pixels


def on_every_gpu(bundle: Bundle, name: str) -> Engine:
    """The bundle's weights on each GPU; without one only plain torch can, on the CPU."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not gpus and name != "torch":
        raise BundleError(f"{bundle.folder}: {name} needs an NVIDIA GPU; name onnx, or torch")
    devices = [torch.device("cuda", n) for n in range(gpus)] or [torch.device("cpu")]
    engines = [_on(device, bundle, name) for device in devices]
    return engines[0] if len(engines) == 1 else Fleet(engines)


def _on(device: torch.device, bundle: Bundle, name: str) -> Engine:
    if name == "torch-triton":
        from inference_runtime.engines.torch_triton import TorchTritonEngine

        return TorchTritonEngine(bundle, device)
    from inference_runtime.engines.torch_plain import TorchEngine

    return TorchEngine(bundle, device, compiled=name == "torch-compile")


class Fleet:
    def __init__(self, engines: Sequence[Engine]) -> None:
        self.name = engines[0].name
        self._engines, self._busy, self._count = engines, [0] * len(engines), Lock()

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        with self._count:
            place = self._busy.index(min(self._busy))
            self._busy[place] += 1
        try:
            return self._engines[place].logits(pixels)
        finally:
            with self._count:
                self._busy[place] -= 1
