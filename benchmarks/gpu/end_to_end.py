"""From JPEG bytes to logits, and the floors: decoding alone on all cores, and the network alone."""

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import numpy as np
import torch

from inference_runtime.engines.frames import Frames
from inference_runtime.engines.torch_triton import lanes_for
from inference_runtime.vit import weights
from inference_runtime.vit.shape import known

SIZE = (1280, 720)
BATCH = 32


def measured(quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    if find_spec("PIL") is None:
        return [{"path": "JPEG to logits", "images_per_s": "Pillow is not installed"}], {}
    from inference_runtime.preprocess import Preprocess, decode, prepare, resize

    count = 64 if quick else 2048
    pictures = [_jpeg(seed) for seed in range(8)] * (count // 8)
    vit = weights.random(known("vits16" if quick else "vitl16"))
    lanes = lanes_for(vit, "fp16", torch.device("cuda", 0), (1, 8, BATCH))
    height, width = vit.shape.pixels
    spec = Preprocess(width, height)
    ready = np.stack([prepare(one, spec) for one in pictures[:BATCH]])
    frame = decode(pictures[0])
    frames = Frames(vit.shape.pixels, torch.device("cuda", 0))

    def serve(batches: Iterable[list[bytes]]) -> None:
        with ThreadPoolExecutor(2) as askers, ThreadPoolExecutor(os.cpu_count()) as cores:
            prepared = (np.stack(list(cores.map(lambda one: prepare(one, spec), batch))) for batch in batches)
            list(askers.map(lanes.logits, prepared))

    batches = [pictures[n : n + BATCH] for n in range(0, count, BATCH)]
    rates = {
        "JPEG to logits": _rate(lambda: serve(batches), count),
        "floor: decoding alone": _rate(lambda: _decoded(pictures, spec), count),
        "floor: network alone": _rate(lambda: [lanes.logits(ready) for _ in batches], count),
        "resize on the CPU, one core": _rate(lambda: [resize(frame, spec) for _ in range(50)], 50),
        "upload and resize on the GPU": _rate(lambda: frames.resized([frame] * 50), 50),
    }
    rows = [{"path": name, "images_per_s": rate} for name, rate in rates.items()]
    return rows, {f"{name}, images per second": rate for name, rate in rates.items()}


def _decoded(pictures: list[bytes], spec: Any) -> None:
    from inference_runtime.preprocess import prepare

    with ThreadPoolExecutor(os.cpu_count()) as cores:
        list(cores.map(lambda one: prepare(one, spec), pictures))


def _rate(work: Callable[[], object], count: int) -> float:
    work()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return count / (time.perf_counter() - begin)


def _jpeg(seed: int) -> bytes:
    """As hard to decode as a photograph: coarse noise, not flat and not fine."""
    from PIL import Image

    coarse = np.random.default_rng(seed).integers(0, 256, (SIZE[1] // 8, SIZE[0] // 8, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()
