"""Frames of any size, uploaded once and resized on the GPU, exactly as the runtime resizes them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from inference_runtime.kernels.resize import resize
from inference_runtime.preprocess import GAP, Filter, Pixels


class Frames:
    """Grows to the largest frame it has met, and from then on allocates nothing."""

    def __init__(self, size: tuple[int, int], device: torch.device, filter: Filter = "bilinear") -> None:
        self._size, self._device, self._filter = size, device, filter
        self._room(0, 0)

    def resized(self, frames: Sequence[Pixels]) -> Tensor:
        """uint8 [N, height, width, 3] on the GPU; one after another on the current stream."""
        out = torch.empty((len(frames), *self._size, 3), dtype=torch.uint8, device=self._device)
        for frame, place in zip(frames, out, strict=True):
            resize(self._uploaded(frame), place, self._between, GAP, self._filter)
        return out

    def _uploaded(self, frame: Pixels) -> Tensor:
        height, width, _ = frame.shape
        if frame.size > self._staged.numel() or height * self._size[1] * 3 > self._between.numel():
            self._room(frame.size, height)
        # Page-locked memory may be written again only when the last frame has left it.
        self._left.synchronize()
        self._staged[: frame.size].copy_(torch.from_numpy(frame).flatten())
        self._here[: frame.size].copy_(self._staged[: frame.size], non_blocking=True)
        self._left.record()
        return self._here[: frame.size].view(height, width, 3)

    def _room(self, numbers: int, height: int) -> None:
        self._staged = torch.empty(numbers, dtype=torch.uint8, pin_memory=True)
        self._here = torch.empty(numbers, dtype=torch.uint8, device=self._device)
        self._between = torch.empty(height * self._size[1] * 3, dtype=torch.uint8, device=self._device)
        self._left = torch.cuda.Event()
