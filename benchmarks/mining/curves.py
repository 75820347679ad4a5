"""What labels bring: the learner's accuracy on the test after every batch that a strategy asked for."""

from dataclasses import dataclass

import numpy as np

from benchmarks.mining import learner
from benchmarks.mining.pools import Pool
from benchmarks.mining.strategies import Moment, Strategy

SHARE = 0.98  # of the accuracy that all labels of the pool bring
STEADY = 3  # so many batches on end must reach it on average: one lucky batch is no arrival


@dataclass(frozen=True)
class Task:
    name: str
    classes: int
    batch: int
    limit: int  # labels after which nobody asks on
    decay: float  # the best of a few for the whole pool, whoever asks


@dataclass(frozen=True)
class Curve:
    labels: list[int]
    accuracy: list[float]
    full: float

    def needed(self) -> int:
        """Labels until the learner had arrived; one batch more than the limit where it never did."""
        for place in range(len(self.labels)):
            if np.mean(self.accuracy[place : place + STEADY]) >= SHARE * self.full:
                return self.labels[place]
        return 2 * self.labels[-1] - self.labels[-2]


def followed(pool: Pool, task: Task, strategy: Strategy, seed: int) -> Curve:
    centre, spread = pool.vectors.mean(axis=0), pool.vectors.std(axis=0) + 1e-2
    scale = spread * np.sqrt(pool.vectors.shape[1])
    scaled, test = (pool.vectors - centre) / scale, (pool.test - centre) / scale
    full = learner.fit(scaled, pool.labels, task.classes, task.decay, None)
    rows = np.zeros(0, np.int64)
    head: learner.Softmax | None = None
    p: learner.Numbers | None = None
    curve = Curve([], [], _accuracy(full, test, pool))
    while len(rows) < min(task.limit, len(scaled)):
        now = Moment(pool.vectors, scaled, rows, pool.labels[rows], task.classes, p, seed)
        rows = np.concatenate([rows, strategy(now, min(task.batch, len(scaled) - len(rows)))])
        assert len(np.unique(rows)) == len(rows)
        head = learner.fit(scaled[rows], pool.labels[rows], task.classes, task.decay, head)
        p = head.p(scaled)
        curve.labels.append(len(rows))
        curve.accuracy.append(_accuracy(head, test, pool))
    return curve


def _accuracy(head: learner.Softmax, test: learner.Seen, pool: Pool) -> float:
    return float(np.mean(head.p(test).argmax(axis=1) == pool.answers))
