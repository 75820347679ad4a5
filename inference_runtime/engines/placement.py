"""Which engine answers on this machine: asked once, when a bundle is loaded."""

import logging
from dataclasses import dataclass
from importlib.util import find_spec

from inference_runtime.bundle import Bundle

log = logging.getLogger("inference_runtime")


@dataclass(frozen=True)
class Placement:
    engine: str
    reason: str


def placed(bundle: Bundle) -> Placement:
    """The fastest that can run here; said once in the log."""
    found = _found(bundle)
    log.info("engine %s: %s", found.engine, found.reason)
    return found


def _found(bundle: Bundle) -> Placement:
    if "torch" not in bundle.engines:
        return Placement("onnx", "the bundle holds no weights for a GPU")
    if find_spec("torch") is None:
        return Placement("onnx", "torch is not installed")
    if not (gpus := gpu_count()):
        return Placement("onnx", "no GPU here")
    if find_spec("triton") is None:
        return Placement("torch", f"{gpus} GPU, but Triton is not installed")
    return Placement("torch-triton", f"{gpus} GPU and Triton")


def has_gpu() -> bool:
    return find_spec("torch") is not None and gpu_count() > 0


def gpu_count() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
