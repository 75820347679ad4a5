"""The engine for NVIDIA GPUs: a TensorRT plan, built once per graph, GPU and version, kept by the machine."""

import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_runtime.bundle import Bundle
from inference_runtime.engines import cuda
from inference_runtime.engines.plan import bindings
from inference_runtime.errors import BundleError, Fixable
from inference_runtime.preprocess import Pixels


class TensorRtEngine:
    name = "tensorrt"

    def __init__(self, bundle: Bundle) -> None:
        # Before TensorRT is touched: without a driver some of its calls end the process.
        gpu = cuda.gpu()
        trt = bindings()
        entry, spec = bundle.engines[self.name], bundle.preprocess
        plan = plan_for(bundle.folder / entry["file"], entry, gpu, trt.__version__)
        picture = (spec.height, spec.width, 3)
        self.logits = Executed(trt, plan, cuda.Device(), picture, most=int(entry["max_batch"])).logits


class Executed:
    """A plan on its device, with room there for `most` pictures."""

    def __init__(
        self, trt: Any, plan: Path, device: cuda.Device, picture: tuple[int, int, int], most: int
    ) -> None:
        self._device, self._picture, self._most, self._lock = device, picture, most, Lock()
        self._engine = _engine(trt, plan)
        self._context = self._engine.create_execution_context()
        self._pixels = device.allocate(most * math.prod(picture))
        self._logits = device.allocate(most * 4)
        self._context.set_tensor_address("pixels", self._pixels)
        self._context.set_tensor_address("logit", self._logits)

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        parts = [self._run(pixels[at : at + self._most]) for at in range(0, len(pixels), self._most)]
        return np.concatenate([np.empty(0, np.float32), *parts])

    def _run(self, pixels: Pixels) -> NDArray[np.float32]:
        sent, logits = np.ascontiguousarray(pixels), np.empty(len(pixels), np.float32)
        # One context, one stream: a second picture would overwrite the first.
        with self._lock:
            self._device.enter()
            self._device.upload(self._pixels, sent)
            shaped = self._context.set_input_shape("pixels", (len(sent), *self._picture))
            if not (shaped and self._context.execute_async_v3(self._device.stream)):
                raise RuntimeError(f"TensorRT refuses a batch of {len(sent)}")
            self._device.download(logits, self._logits)
        return logits


def plan_for(model: Path, entry: Any, gpu: str, version: str) -> Path:
    """The plan in this machine's cache; builds it, in a process of its own, where it is missing."""
    home = Path(os.environ.get("PLANS", "var/plans"))
    shapes = {key: entry[key] for key in ("max_batch", "usual_batch", "workspace_mib")}
    facts = json.dumps([entry["sha256"], gpu, version, shapes], sort_keys=True)
    plan = home / f"{hashlib.sha256(facts.encode()).hexdigest()[:16]}.plan"
    if not plan.exists():
        home.mkdir(parents=True, exist_ok=True)
        timings = home / f"{gpu.replace(' ', '-')}-{version}.timings"
        _build({"model": str(model), "plan": str(plan), "timings": str(timings), **shapes})
    return plan


def _build(job: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "inference_runtime.engines.plan", json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"the builder ended with {done.returncode}"]
        raise Fixable(lines[-1])


def _engine(trt: Any, plan: Path) -> Any:
    runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
    engine = runtime.deserialize_cuda_engine(plan.read_bytes())
    if engine is None:
        raise BundleError(f"{plan}: TensorRT {trt.__version__} refuses it; delete it, and it is built anew")
    return engine
