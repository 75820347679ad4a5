"""Two lanes to one GPU: while one picture is looked at, the next is on its way there."""

from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference_runtime.engines.network import Network
from inference_runtime.preprocess import Pixels

LANES = 2
# Pictures of one CUDA graph; what comes in between is filled up with whatever was there before.
BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Lane:
    """Page-locked memory here, memory of the GPU there, and a recorded graph for each bucket."""

    staged: Tensor
    pixels: Tensor
    logits: Tensor
    routes: Tensor
    answers: Tensor
    copied: torch.cuda.Event
    done: torch.cuda.Event
    graphs: dict[int, torch.cuda.CUDAGraph]


class Lanes:
    def __init__(self, network: Network, device: torch.device, buckets: tuple[int, ...] = BUCKETS) -> None:
        self._device, self._buckets = device, buckets
        # Others on this GPU wait for answers less urgently.
        self._compute = torch.cuda.Stream(device, priority=-1)
        self._copy = torch.cuda.Stream(device, priority=-1)
        self._enqueue, self._large = Lock(), Lock()
        self._free: SimpleQueue[Lane] = SimpleQueue()
        self._pool = torch.cuda.graph_pool_handle()
        for _ in range(LANES):
            self._free.put(self._lane(network))

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        most = self._buckets[-1]
        if len(pixels) <= most:
            return self._collect(self._submit(pixels), len(pixels))
        # One such caller at a time: two that each held a lane and waited for the other's would wait for ever.
        with self._large:
            pieces = [pixels[n : n + most] for n in range(0, len(pixels), most)]
            return np.concatenate(list(self._pipelined(pieces)))

    def _pipelined(self, pieces: list[Pixels]) -> list[NDArray[np.float32]]:
        lane, found = self._submit(pieces[0]), []
        for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
            ahead = None if following is None else self._submit(following)
            found.append(self._collect(lane, len(piece)))
            lane = ahead or lane
        return found

    def _submit(self, pixels: Pixels) -> Lane:
        lane, count = self._free.get(), len(pixels)
        bucket = next(size for size in self._buckets if size >= count)
        np.copyto(lane.staged.numpy()[:count], pixels)
        with self._enqueue:
            with torch.cuda.stream(self._copy):
                lane.pixels[:count].copy_(lane.staged[:count], non_blocking=True)
                lane.copied.record(self._copy)
            with torch.cuda.stream(self._compute):
                self._compute.wait_event(lane.copied)
                lane.graphs[bucket].replay()
                lane.answers[:count].copy_(lane.logits[:count], non_blocking=True)
                lane.done.record(self._compute)
        return lane

    def _collect(self, lane: Lane, count: int) -> NDArray[np.float32]:
        lane.done.synchronize()
        found: NDArray[np.float32] = lane.answers[:count].numpy().copy()
        self._free.put(lane)
        return found

    def _lane(self, network: Network) -> Lane:
        most, size = self._buckets[-1], (*network.shape.pixels, 3)
        lane = Lane(
            staged=torch.zeros((most, *size), dtype=torch.uint8, pin_memory=True),
            pixels=torch.zeros((most, *size), dtype=torch.uint8, device=self._device),
            logits=torch.zeros(most, device=self._device),
            routes=torch.zeros(most, dtype=torch.int8, device=self._device),
            answers=torch.zeros(most, pin_memory=True),
            copied=torch.cuda.Event(),
            done=torch.cuda.Event(),
            graphs={},
        )
        for bucket in self._buckets:
            lane.graphs[bucket] = self._recorded(network, lane, bucket)
        return lane

    def _recorded(self, network: Network, lane: Lane, bucket: int) -> torch.cuda.CUDAGraph:
        call = lane.pixels[:bucket], lane.logits[:bucket], lane.routes[:bucket]
        with torch.cuda.stream(self._compute):
            # The first call compares ways and compiles; neither may happen while a graph is recorded.
            network(*call)
            self._compute.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, stream=self._compute):
                network(*call)
        return graph
