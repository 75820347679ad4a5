"""One way to train a head, tried on every fold at once."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import linear

from pipeline.classifier import Head, Hidden
from pipeline.params import Kind, Train
from pipeline.train.scale import Scale
from pipeline.train.views import Numbers

# The simplest first.
KINDS: tuple[Kind, ...] = ("squares", "logistic", "linear", "mlp")


@dataclass(frozen=True)
class Setting:
    kind: Kind
    decay: float
    rate: float | None  # of Adam's steps

    @property
    def simplicity(self) -> tuple[int, float, float]:
        """The smaller the simpler."""
        return KINDS.index(self.kind), -self.decay, self.rate or 0.0


def settings(kind: Kind, params: Train) -> list[Setting]:
    rates = (None,) if kind in ("squares", "logistic") else params.rates
    return [Setting(kind, decay, rate) for decay in params.weight_decays for rate in rates]


class Candidate(nn.Module):
    """Vectors [N,D] -> logits [N,folds]; remembers its best moment apart from its present."""

    def __init__(self, setting: Setting, folds: int, dim: int, hidden: int, dice: torch.Generator) -> None:
        super().__init__()
        self.setting = setting
        width = hidden if setting.kind == "mlp" else dim
        if setting.kind == "mlp":
            spread = 1 / math.sqrt(dim)
            self.inner = nn.Parameter(torch.randn(folds, hidden, dim, generator=dice) * spread)
            self.inner_bias = nn.Parameter(torch.zeros(folds, hidden))
        # Zero is as good a start as any: as far as these go, the loss is convex.
        self.weight = nn.Parameter(torch.zeros(folds, width))
        self.bias = nn.Parameter(torch.zeros(folds))
        for name, parameter in list(self.named_parameters()):
            self.register_buffer(f"best_{name}", parameter.detach().clone())

    def forward(self, vectors: Tensor) -> Tensor:
        if self.setting.kind != "mlp":
            return linear(vectors, self.weight, self.bias)
        inner = linear(vectors, self.inner.flatten(0, 1), self.inner_bias.flatten()).relu()
        return (inner.reshape(-1, *self.weight.shape) * self.weight).sum(2) + self.bias

    def penalty(self) -> Tensor:
        return self.setting.decay / 2 * self.weight.square().sum()

    def remember(self) -> None:
        for name, parameter in self.named_parameters():
            self.get_buffer(f"best_{name}").copy_(parameter.detach())

    def recall(self) -> None:
        """Back to its best moment."""
        for name, parameter in self.named_parameters():
            parameter.data.copy_(self.get_buffer(f"best_{name}"))

    def heads(self, scale: Scale, prior: float) -> list[Head]:
        """Its present, a head per fold, for vectors as the backbone gives them."""
        weight, bias = self._numbers("weight"), self._numbers("bias") - prior
        if self.setting.kind != "mlp":
            return lines(weight, bias, scale)
        inner, offsets = scale.folded(self._numbers("inner"), self._numbers("inner_bias"))
        layers = [Hidden(_single(w), _single(b)) for w, b in zip(inner, offsets, strict=True)]
        return [_head(w, b, layer) for w, b, layer in zip(weight, bias, layers, strict=True)]

    def _numbers(self, name: str) -> Numbers:
        return self.get_parameter(name).detach().double().numpy()


def lines(weight: Numbers, bias: Numbers, scale: Scale) -> list[Head]:
    """A head for each row of weight [N,D] and bias [N], which were found on scaled vectors."""
    return [_head(w, b) for w, b in zip(*scale.folded(weight, bias), strict=True)]


def _head(weight: Numbers, bias: float, layer: Hidden | None = None) -> Head:
    return Head(_single(weight), float(bias), temperature=1.0, offset=0.0, hidden=layer)


def _single(numbers: Numbers) -> NDArray[np.float32]:
    return numbers.astype(np.float32)
