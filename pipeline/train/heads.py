"""Logistic heads on cached vectors: one per weight decay and fold, all trained side by side in one pass."""

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, linear

UNSEEN = "unseen loss"
# Steps of the optimiser between two looks at the families unseen.
STEPS = 4

# vectors [N,D], labels [N], and the weight of each row in each fold's loss [N,F]
Batch = tuple[Tensor, Tensor, Tensor]


class Heads(lightning.LightningModule):  # type: ignore[misc]
    """The head of a fold never learns from the fold's families: on those it is judged, unseen."""

    def __init__(self, dim: int, folds: int, decays: tuple[float, ...]) -> None:
        super().__init__()
        self.decays = torch.tensor(decays)
        # Zero is as good a start as any: the loss is convex.
        self.weight = nn.Parameter(torch.zeros(len(decays), folds, dim))
        self.bias = nn.Parameter(torch.zeros(len(decays), folds))
        self.history: list[dict[str, float]] = []
        self.best = torch.full((len(decays),), torch.inf)
        self.best_weight, self.best_bias = self.weight.detach().clone(), self.bias.detach().clone()
        self._seen = torch.zeros(len(decays))

    def forward(self, vectors: Tensor) -> Tensor:
        """[N,D] -> logits [N,decays,folds]"""
        flat = linear(vectors, self.weight.flatten(0, 1), self.bias.flatten())
        return flat.reshape(len(flat), *self.bias.shape)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        # Adam's first steps give every feature the same weight, told or not: stopped early, it learned noise.
        return torch.optim.LBFGS(self.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def training_step(self, batch: Batch) -> Tensor:
        losses = self._losses(batch).mean(0)
        self._seen = losses.detach().mean(1)
        penalty = self.decays[:, None] / 2 * self.weight.square().sum(2)
        return (losses + penalty).sum()

    def validation_step(self, batch: Batch) -> None:
        losses = self._losses(batch).sum((0, 2))
        self._remember(losses)
        self.log(UNSEEN, losses.min())
        self._write_down(self._seen, losses)

    def _losses(self, batch: Batch) -> Tensor:
        vectors, labels, weights = batch
        logits = self(vectors)
        wanted = labels[:, None, None].expand_as(logits)
        each = binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        return each * weights[:, None, :]

    def _remember(self, losses: Tensor) -> None:
        better = losses < self.best
        self.best = torch.where(better, losses, self.best)
        self.best_weight[better] = self.weight.detach()[better]
        self.best_bias[better] = self.bias.detach()[better]

    def _write_down(self, seen: Tensor, unseen: Tensor) -> None:
        for decay, one, other in zip(self.decays.tolist(), seen.tolist(), unseen.tolist(), strict=True):
            row = {"epoch": self.current_epoch + 1, "weight_decay": decay, "seen": one, "unseen": other}
            self.history.append(row)
