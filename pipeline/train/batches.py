"""Which rows meet in a step, and how processes share them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed
from torch.utils.data import DataLoader, Sampler, TensorDataset

from pipeline.train.heads import Batch
from pipeline.train.lesson import Lesson

Floats = NDArray[np.floating[Any]]


class Deal(Sampler[Tensor]):
    """The rows of each batch, shuffled by seed and epoch alone; each process gets its part of every batch."""

    def __init__(self, joins: NDArray[np.int64], batch: int, seed: int) -> None:
        self.joins, self.batch, self.seed, self.epoch = torch.from_numpy(joins), batch, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning says which epoch it is, after a resumption, too."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Tensor]:
        rank, world = _place()
        dice = torch.Generator().manual_seed(self.seed + self.epoch)
        rows = torch.nonzero(self.joins <= self.epoch).flatten()
        rows = rows[torch.randperm(len(rows), generator=dice)]
        for batch in torch.split(rows, self.batch):
            # Equal parts, or the mean of the processes' losses would not be the loss of the batch.
            yield batch[: len(batch) - len(batch) % world][rank::world]

    def __len__(self) -> int:
        return -(-int((self.joins <= self.epoch).sum()) // self.batch)


def _place() -> tuple[int, int]:
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def whole(lesson: Lesson) -> "DataLoader[Batch]":
    """All rows at once: L-BFGS wants the loss itself, not a sample of it."""
    return _one(lesson.vectors, lesson.targets, lesson.taught)


def dealt(lesson: Lesson, batch: int, seed: int) -> "DataLoader[Batch]":
    rows: Any = TensorDataset(*(_tensor(part) for part in (lesson.vectors, lesson.targets, lesson.taught)))
    return DataLoader(rows, sampler=Deal(lesson.joins, batch, seed), batch_size=None)


def unseen(lesson: Lesson) -> "DataLoader[Batch]":
    return _one(lesson.seen, lesson.labels, lesson.judged)


def _one(*parts: Floats) -> "DataLoader[Batch]":
    single: Any = [tuple(_tensor(part) for part in parts)]
    return DataLoader(single, batch_size=None)


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
