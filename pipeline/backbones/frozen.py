"""What all backbones share: they look at raw pixels, and nothing can make them train."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Frozen(nn.Module):
    """uint8 pixels [N,H,W,3] -> float32 vectors [N,dim]; the normalisation is inside."""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        network: nn.Module,
        pool: Callable[[nn.Module, Tensor], Tensor],
        *,
        dim: int,
        mean: tuple[float, float, float],
        deviation: tuple[float, float, float],
        notice: str,
    ) -> None:
        super().__init__()
        self.network, self.pool, self.dim, self.notice = network, pool, dim, notice
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation), persistent=False)
        self.requires_grad_(False)
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        seen = (pixels.float() - self.mean) / self.deviation
        return self.pool(self.network, seen.permute(0, 3, 1, 2))

    def train(self, mode: bool = True) -> "Frozen":
        # DINOv3 jitters its position code and BatchNorm its statistics in train mode: vectors would drift.
        return super().train(False)
