"""Which engine of a bundle a profile asks."""

from pathlib import Path

from inference_runtime.bundle import load
from inference_runtime.predictor import Predictor
from inference_runtime.probe import prove

# Latency is not paid, only the timeout: speed is for machines that would miss it.
PROFILES = {"speed": ("onnx-int8", "onnx"), "accuracy": ("onnx",)}


def predictor_for(folder: Path, profile: str) -> Predictor:
    bundle = load(folder)
    name = next((name for name in PROFILES[profile] if name in bundle.engines), "onnx")
    predictor = Predictor(bundle, threads=1, engine=name)
    prove(predictor)
    return predictor
