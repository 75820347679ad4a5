"""The GPU engine: our kernels, recorded as CUDA graphs, fed through page-locked lanes."""

import numpy as np
import torch
from numpy.typing import NDArray

from inference_runtime.bundle import Bundle
from inference_runtime.engines.lanes import BUCKETS, Lanes
from inference_runtime.engines.network import PRECISIONS, Network
from inference_runtime.errors import BundleError
from inference_runtime.kernels.choice import on_gpu
from inference_runtime.preprocess import Pixels
from inference_runtime.vit.weights import ENTRY, Vit, of_bundle


class TorchTritonEngine:
    name = "torch-triton"

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        self._lanes = lanes_for(of_bundle(bundle), computes_in(bundle), device)

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        return self._lanes.logits(pixels)


def lanes_for(vit: Vit, precision: str, device: torch.device, buckets: tuple[int, ...] = BUCKETS) -> Lanes:
    """Ready to answer: every way is chosen, every kernel compiled, every graph recorded."""
    with torch.cuda.device(device):
        network = Network(vit, PRECISIONS[precision], device, buckets[-1], on_gpu(device))
        return Lanes(network, device, buckets)


def computes_in(bundle: Bundle) -> str:
    """What the bundle says a GPU may compute in, for that is what its gate has judged; else float16."""
    named = bundle.engines[ENTRY].get("computes", "fp16")
    if named not in PRECISIONS:
        known = ", ".join(PRECISIONS)
        raise BundleError(
            f"{bundle.folder}: engines.torch.computes: {named!r} is none of {known}; export it again"
        )
    return str(named)
