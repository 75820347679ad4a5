"""`python -m benchmarks.gpu.small`: every kernel on small, odd shapes, for compute-sanitizer."""

from dataclasses import replace

import torch

from inference_runtime.engines.frames import Frames
from inference_runtime.engines.network import PRECISIONS, Network
from inference_runtime.kernels.choice import Choice
from inference_runtime.kernels.product import CHOICES
from inference_runtime.vit import weights
from inference_runtime.vit.shape import Shape, known


def main() -> None:
    shape = replace(known("vits16"), width=128, layers=1, heads=2, mlp=200, pixels=(48, 32))
    for gated in (False, True):
        for precision in ("fp16", "bf16", "int8"):
            _run(replace(shape, gated=gated), precision)
    frame = torch.randint(0, 256, (131, 97, 3), dtype=torch.uint8).numpy()
    Frames(shape.pixels, torch.device("cuda", 0)).resized([frame, frame[:60]])
    torch.cuda.synchronize()
    print("all kernels ran")


def _run(shape: Shape, precision: str) -> None:
    device = torch.device("cuda", 0)
    pixels = torch.randint(0, 256, (3, *shape.pixels, 3), dtype=torch.uint8, device=device)
    logits, routes = torch.zeros(3, device=device), torch.zeros(3, dtype=torch.int8, device=device)
    # As a measure, one run of each: every way is run, and none is timed.
    choice = Choice(None, lambda way: (way(), 0.0)[1])
    network = Network(weights.random(shape), PRECISIONS[precision], device, 3, choice, CHOICES[:1])
    network(pixels, logits, routes)


if __name__ == "__main__":
    main()
