"""Fits heads of every kind and makes one of them: the heads of the chosen setting, averaged."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from pipeline import classifier
from pipeline.classifier import Head
from pipeline.params import Kind, Train
from pipeline.train import batches, choose, squares, trainer
from pipeline.train.candidates import KINDS, Setting, lines, settings
from pipeline.train.heads import Heads
from pipeline.train.lesson import Lesson, prepared
from pipeline.train.memory import refuse_lack
from pipeline.train.scale import Scale
from pipeline.train.views import Numbers, Views


@dataclass(frozen=True)
class Fitted:
    """The head, not yet calibrated, and how it came about."""

    head: Head
    setting: Setting
    epochs: int
    history: list[dict[str, float | str]]


@dataclass(frozen=True)
class Round:
    """One kind, one dealing of the families."""

    settings: list[Setting]
    costs: Numbers
    heads: list[list[Head]]  # per setting: one for each fold, or one that was taught everything
    history: list[dict[str, float | str]]


def fit(views: Views, params: Train) -> Fitted:
    """Equal views give equal bits."""
    refuse_lack(*views.vectors.shape)
    scale = Scale.of(views)
    kinds = [kind for kind in KINDS if kind in params.heads]
    rounds = [[_round(views, scale, kind, turn, params) for kind in kinds] for turn in range(params.seeds)]
    tried = [setting for one in rounds[0] for setting in one.settings]
    costs = np.mean([np.concatenate([one.costs for one in turn], axis=1) for turn in rounds], axis=0)
    place = choose.chosen(costs, tried, params.simplest)
    heads = [head for turn in rounds for head in [heads for one in turn for heads in one.heads][place]]
    history = [line for turn in rounds for one in turn for line in one.history]
    epochs = max(int(line["epoch"]) for line in history)
    return Fitted(classifier.averaged(heads), tried[place], epochs, history)


def _round(views: Views, scale: Scale, kind: Kind, turn: int, params: Train) -> Round:
    """The families are dealt by the seed and the turn."""
    numbers = params.model_copy(update={"seed": params.seed + turn})
    lesson = prepared(views, scale, numbers.lesson, numbers.folds, numbers.seed)
    return _solved(lesson, scale, numbers) if kind == "squares" else _trained(lesson, scale, kind, numbers)


def _solved(lesson: Lesson, scale: Scale, numbers: Train) -> Round:
    wanted = settings("squares", numbers)
    found = squares.solved(lesson, [one.decay for one in wanted])
    costs = choose.costs(found.folds.logits(lesson.seen), lesson)
    heads = [lines(*one, scale) for one in zip(found.whole.weight, found.whole.bias, strict=True)]
    return Round(wanted, costs, heads, squares.history(found.folds, wanted, lesson))


def _trained(lesson: Lesson, scale: Scale, kind: Kind, numbers: Train) -> Round:
    heads = Heads(settings(kind, numbers), lesson.folds, lesson.vectors.shape[1], lesson.prior, numbers)
    taught = (
        batches.whole(lesson) if kind == "logistic" else batches.dealt(lesson, numbers.batch, numbers.seed)
    )
    trainer.fit(heads, taught, batches.unseen(lesson), numbers, _name(kind, lesson, numbers))
    costs = choose.costs(heads.best_logits(lesson.seen), lesson)
    ready = [candidate.heads(scale, lesson.prior) for candidate in heads.candidates]
    return Round(heads.settings, costs, ready, heads.history)


def _name(kind: Kind, lesson: Lesson, params: Train) -> str:
    """Two fits of one name would go the same way, so one may go on where the other was killed."""
    told = hashlib.sha256(f"{lesson.digest()} {params.model_dump_json()} {torch.__version__}".encode())
    return f"{kind}-{told.hexdigest()[:16]}"
