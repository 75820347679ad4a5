"""Which engine answers on this machine: asked once, when a bundle is loaded."""

import logging
import os
from dataclasses import dataclass
from importlib.util import find_spec

from inference_runtime.bundle import Bundle
from inference_runtime.errors import Fixable

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
        return _on_the_processor(bundle, "the bundle holds no weights for a GPU")
    if find_spec("torch") is None:
        return _on_the_processor(bundle, "torch is not installed")
    if not (gpus := gpu_count()):
        return _on_the_processor(bundle, "no GPU here")
    if find_spec("triton") is None:
        return Placement("torch", f"{gpus} GPU, but Triton is not installed")
    return Placement("torch-triton", f"{gpus} GPU and Triton")


def _on_the_processor(bundle: Bundle, reason: str) -> Placement:
    """RUNTIME_PROFILE=speed takes int8 weights, where the export found them near enough and faster."""
    profile = os.environ.get("RUNTIME_PROFILE") or "accuracy"
    if profile not in ("accuracy", "speed"):
        raise Fixable(f"RUNTIME_PROFILE: {profile!r} is neither accuracy nor speed")
    if profile == "speed" and "onnx-int8" in bundle.engines:
        return Placement("onnx-int8", f"{reason}, and RUNTIME_PROFILE is speed")
    return Placement("onnx", reason)


def has_gpu() -> bool:
    return find_spec("torch") is not None and gpu_count() > 0


def gpu_count() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
