"""Least squares, solved in one go: for few labels from few cameras.

Logistic regression is content with the first direction that parts what it was taught, and the look of a
camera often is one. The squares weigh a direction by how much it varies within the classes, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline import features
from pipeline.train.candidates import Setting
from pipeline.train.heads import agreement
from pipeline.train.lesson import Lesson
from pipeline.train.views import Numbers

LEAST_SCALE = 0.01
LEAST_VARIANCE = 1e-6
# Under a feature that never varies, which could be weighed by anything.
GROUND = 1e-9


@dataclass(frozen=True)
class Lines:
    """weight [settings,heads,D], bias [settings,heads]"""

    weight: Numbers
    bias: Numbers

    def logits(self, vectors: NDArray[np.float32]) -> Numbers:
        """[N,settings,heads]"""
        flat = vectors.astype(np.float64) @ self.weight.reshape(-1, self.weight.shape[2]).T
        return flat.reshape(-1, *self.bias.shape) + self.bias

    def moved(self, middle: Numbers, scale: Numbers) -> "Lines":
        return Lines(self.weight * scale[:, None, None], (self.bias - middle[:, None]) * scale[:, None])


@dataclass(frozen=True)
class Solved:
    """`folds` are judged on what they have not seen; `whole` is shipped: it missed no camera."""

    folds: Lines
    whole: Lines


def solved(lesson: Lesson, decays: Sequence[float]) -> Solved:
    """Answers are log odds."""
    with features.one_thread():
        folds = _together([_solved(lesson, taught, decays) for taught in lesson.taught.T])
        whole = _together([_solved(lesson, lesson.taught.sum(1), decays)])
    middle, scale = _bells(folds.logits(lesson.seen), lesson)
    return Solved(folds.moved(middle, scale), whole.moved(middle, scale))


def history(folds: Lines, settings: Sequence[Setting], lesson: Lesson) -> list[dict[str, float | str]]:
    """A line for each setting, in the words of heads that learn step by step."""
    taught, unseen = folds.logits(lesson.vectors), folds.logits(lesson.seen)
    columns = (
        _loss(taught, lesson.targets, lesson.taught / lesson.taught.sum()),
        _loss(unseen, lesson.labels, lesson.judged),
        agreement(*map(torch.from_numpy, ((unseen > 0).astype(np.float64), lesson.labels, lesson.judged))),
    )
    told: list[dict[str, float | str]] = []
    for one, seen, missed, mcc in zip(settings, *columns, strict=True):
        named: dict[str, float | str] = {"epoch": 1, "head": one.kind, "weight_decay": one.decay, "rate": 0.0}
        told.append(named | {"seen": float(seen), "unseen": float(missed), "mcc": float(mcc)})
    return told


def _together(heads: Sequence[tuple[Numbers, Numbers]]) -> Lines:
    weights, biases = zip(*heads, strict=True)
    return Lines(np.stack(weights, 1), np.stack(biases, 1))


def _solved(lesson: Lesson, taught: Numbers, decays: Sequence[float]) -> tuple[Numbers, Numbers]:
    """Weight [settings,D] and bias [settings] that miss targets of -1 and 1 the least."""
    share = torch.from_numpy(taught / taught.sum())
    vectors = torch.from_numpy(lesson.vectors).double()
    targets = torch.from_numpy(lesson.targets * 2 - 1)
    mean, middle = share @ vectors, share @ targets
    apart = (vectors - mean) * share.sqrt()[:, None]
    spread, pull = apart.T @ apart, apart.T @ ((targets - middle) * share.sqrt())
    weight = torch.stack([_held(spread, pull, decay) for decay in decays])
    return weight.numpy(), (middle - weight @ mean).numpy()


def _held(spread: Tensor, pull: Tensor, decay: float) -> Tensor:
    """Each feature is held by its own spread: what varies little may be weighed as heavily as the rest."""
    root = torch.linalg.cholesky(spread + torch.diag(decay * spread.diagonal() + GROUND))
    return torch.cholesky_solve(pull[:, None], root)[:, 0]


def _bells(answers: Numbers, lesson: Lesson) -> tuple[Numbers, Numbers]:
    """The middle between the classes' answers and what turns a distance from it into log odds, per setting.

    By families unseen, and as if the answers of each class were a bell, both of one width.
    """
    means, variances = zip(*(_bell(answers, lesson, label) for label in (0, 1)), strict=True)
    scale = (means[1] - means[0]) / np.maximum(sum(variances) / 2, LEAST_VARIANCE)
    return sum(means) / 2, np.maximum(scale, LEAST_SCALE)


def _bell(answers: Numbers, lesson: Lesson, label: int) -> tuple[Numbers, Numbers]:
    share = lesson.judged * (lesson.labels == label)[:, None]
    share = share / share.sum()
    mean = np.einsum("nf,nsf->s", share, answers)
    return mean, np.einsum("nf,nsf->s", share, np.square(answers - mean[:, None]))


def _loss(logits: Numbers, targets: Numbers, weights: Numbers) -> Numbers:
    """The weighted log loss of each setting."""
    rows = np.logaddexp(0.0, logits) - targets[:, None, None] * logits
    total: Numbers = np.einsum("nf,nsf->s", weights, rows)
    return total
