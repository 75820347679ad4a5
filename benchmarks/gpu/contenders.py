"""The engines of the race, each with its pictures on the GPU already: the network alone is compared."""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.gpu.race import Work
from inference_runtime.engines.network import PRECISIONS, Network
from inference_runtime.kernels.choice import Choice, on_gpu
from inference_runtime.vit.plain import Plain
from inference_runtime.vit.weights import Vit


@dataclass(frozen=True)
class Ours:
    """A network, one recorded call of it, and what that call leaves."""

    network: Network
    graph: torch.cuda.CUDAGraph
    logits: Tensor
    choice: Choice


def pictures(vit: Vit, batch: int) -> Tensor:
    size = (batch, *vit.shape.pixels, 3)
    return torch.randint(0, 256, size, dtype=torch.uint8, device="cuda")


def ours(vit: Vit, precision: str, pixels: Tensor) -> Ours:
    device, batch = pixels.device, len(pixels)
    choice = on_gpu(device)
    network = Network(vit, PRECISIONS[precision], device, batch, choice)
    logits = torch.zeros(batch, device=device)
    routes = torch.zeros(batch, dtype=torch.int8, device=device)
    network(pixels, logits, routes)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        network(pixels, logits, routes)
    return Ours(network, graph, logits, choice)


def eager(vit: Vit, dtype: torch.dtype, pixels: Tensor) -> Work:
    return _called(Plain(vit).to("cuda", dtype), pixels)


def compiled(vit: Vit, dtype: torch.dtype, pixels: Tensor, mode: str) -> Work:
    torch._dynamo.reset()
    model = Plain(vit).to("cuda", dtype)
    model.compile(mode=mode, dynamic=False, fullgraph=True)
    return _called(model, pixels)


def _called(model: Plain, pixels: Tensor) -> Work:
    def call() -> Tensor:
        with torch.inference_mode():
            return model(pixels)  # type: ignore[no-any-return]

    return call
