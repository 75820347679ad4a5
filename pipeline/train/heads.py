"""All candidates of one kind, trained side by side in one pass over cached vectors."""

from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pipeline.params import Train
from pipeline.train.candidates import Candidate, Setting
from pipeline.train.views import Numbers

UNSEEN = "unseen loss"
MCC = "unseen mcc"
# L-BFGS steps between two looks at the families unseen.
STEPS = 4

# vectors [N,D], targets [N], and the weight of each row in each fold's loss [N,F]
Batch = tuple[Tensor, Tensor, Tensor]


class Heads(lightning.LightningModule):  # type: ignore[misc]
    """The head of a fold never learns from the fold's families: on those it is judged, unseen."""

    def __init__(self, wanted: list[Setting], folds: int, dim: int, prior: float, params: Train) -> None:
        super().__init__()
        self.params, self.prior = params, prior
        dice = torch.Generator().manual_seed(params.seed)
        self.candidates = [Candidate(setting, folds, dim, params.hidden, dice) for setting in wanted]
        self.registered = nn.ModuleList(self.candidates)
        self.register_buffer("best", torch.full((len(wanted),), torch.inf))
        self.register_buffer("_taught", torch.zeros(len(wanted)))
        self.history: list[dict[str, float | str]] = []

    def get_extra_state(self) -> list[dict[str, float | str]]:
        return self.history

    def set_extra_state(self, state: list[dict[str, float | str]]) -> None:
        self.history = state

    def forward(self, vectors: Tensor) -> Tensor:
        """[N,D] -> logits [N,candidates,folds]"""
        return torch.stack([candidate(vectors).float() for candidate in self.candidates], 1)

    def best_logits(self, vectors: NDArray[np.float32]) -> Numbers:
        """Of each candidate at its best moment, to which it is brought back: [N,candidates,folds]."""
        for candidate in self.candidates:
            candidate.recall()
        with torch.inference_mode():
            logits: Numbers = self(torch.from_numpy(vectors)).double().numpy() - self.prior
        return logits

    @property
    def settings(self) -> list[Setting]:
        return [candidate.setting for candidate in self.candidates]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.settings[0].kind == "logistic":
            # Adam's first steps give every feature the same weight: stopped early, it has learned noise.
            return torch.optim.LBFGS(self.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")
        groups = [
            {"params": list(one.parameters()), "lr": one.setting.rate, "weight_decay": one.setting.decay}
            for one in self.candidates
        ]
        return torch.optim.AdamW(groups)

    def training_step(self, batch: Batch) -> Tensor:
        vectors, targets, weights = batch
        losses = (self._missed(self(vectors), targets) * weights[:, None, :]).mean(0)
        self._taught.copy_(losses.detach().mean(1))
        if self.settings[0].kind == "logistic":
            return losses.sum() + torch.stack([one.penalty() for one in self.candidates]).sum()
        return losses.sum()

    def _missed(self, logits: Tensor, targets: Tensor) -> Tensor:
        wanted = targets[:, None, None].expand_as(logits)
        loss = binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        if self.params.lesson.focal:
            loss = loss * (wanted - logits.sigmoid()).abs() ** self.params.lesson.focal
        return loss

    def validation_step(self, batch: Batch) -> None:
        vectors, labels, weights = batch
        logits = self(vectors) - self.prior
        wanted = labels[:, None, None].expand_as(logits)
        each = binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        losses = (each * weights[:, None, :]).sum((0, 2))
        agreed = agreement((logits > 0).float(), labels, weights)
        self._remember(losses if self.params.watch == "loss" else -agreed)
        self.log(UNSEEN, losses.min())
        self.log(MCC, agreed.max())
        self._write_down(losses, agreed)

    def _remember(self, costs: Tensor) -> None:
        for place in torch.nonzero(costs < self.best).flatten().tolist():
            self.best[place] = costs[place]
            self.candidates[place].remember()

    def _write_down(self, unseen: Tensor, agreed: Tensor) -> None:
        columns = (self._taught.tolist(), unseen.tolist(), agreed.tolist())
        for setting, taught, loss, mcc in zip(self.settings, *columns, strict=True):
            told: dict[str, Any] = {"epoch": self.current_epoch + 1, "head": setting.kind}
            told |= {"weight_decay": setting.decay, "rate": setting.rate or 0.0}
            self.history.append(told | {"seen": taught, "unseen": loss, "mcc": mcc})


def agreement(said: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Matthews' coefficient of each candidate over all folds; weights [N,F], said [N,candidates,folds]."""
    share = weights[:, None, :] / weights.sum()
    true = labels[:, None, None]
    hits, alarms = (share * said * true).sum((0, 2)), (share * said * (1 - true)).sum((0, 2))
    positive = (weights.sum(1) * labels).sum() / weights.sum()
    claimed = hits + alarms
    scale = (claimed * (1 - claimed) * positive * (1 - positive)).sqrt()
    return torch.where(scale > 0, (hits - claimed * positive) / scale.clamp(min=1e-12), 0.0)
