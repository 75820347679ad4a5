"""Plain torch, as it is or compiled: for a GPU without Triton, and for whoever wants to compare."""

from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from inference_runtime.bundle import Bundle
from inference_runtime.preprocess import Pixels
from inference_runtime.vit.plain import Plain
from inference_runtime.vit.weights import of_bundle

# Compiled code is made for a shape; one for each of these is enough.
BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)


class TorchEngine:
    def __init__(self, bundle: Bundle, device: torch.device, compiled: bool = False) -> None:
        self.name = "torch-compile" if compiled else "torch"
        # Half as wide on a GPU; a CPU is no faster for it and float32 is exact.
        dtype = torch.float16 if device.type == "cuda" else torch.float32
        self._model = Plain(of_bundle(bundle)).to(device, dtype)
        self._device, self._compiled, self._turn = device, compiled, Lock()
        if compiled:
            self._model.compile(mode="max-autotune", dynamic=False)

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        pieces = [self._piece(pixels[n : n + BUCKETS[-1]]) for n in range(0, len(pixels), BUCKETS[-1])]
        return np.concatenate([np.empty(0, np.float32), *pieces])

    def _piece(self, pixels: Pixels) -> NDArray[np.float32]:
        count = len(pixels)
        if self._compiled:
            bucket = next(size for size in BUCKETS if size >= count)
            pixels = np.concatenate([pixels, np.zeros((bucket - count, *pixels.shape[1:]), np.uint8)])
        with self._turn, torch.inference_mode():
            found: NDArray[np.float32] = self._model(torch.from_numpy(pixels).to(self._device)).cpu().numpy()
        return found[:count]
