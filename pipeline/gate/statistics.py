"""The arithmetic of a promotion; every function is checked against scipy or brute force in the tests."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Labels = NDArray[np.int8]
Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Pairs:
    """Two models on the same items."""

    n: int
    won: int  # challenger right, champion wrong
    lost: int

    @property
    def gain(self) -> float:
        return (self.won - self.lost) / self.n if self.n else 0.0

    @property
    def discord(self) -> float:
        return (self.won + self.lost) / self.n if self.n else 0.0


def pairs(challenger: Flags, champion: Flags) -> Pairs:
    return Pairs(len(challenger), int((challenger & ~champion).sum()), int((champion & ~challenger).sum()))


def mcnemar(won: int, lost: int) -> float:
    """Exact one-sided p: how often equal models would show as many wins."""
    return float(stats.binom.sf(won - 1, won + lost, 0.5)) if won + lost else 1.0


def spent(alpha: float, attempt: int) -> float:
    """The share of the error budget for the k-th attempt; all shares together never pass alpha."""
    return alpha / (attempt * (attempt + 1))


def items_needed(pair: Pairs, alpha: float, bar: float, power: float = 0.8) -> int:
    """Items that would show the gain seen so far (at least the bar), if it is real."""
    d = max(pair.gain, bar)
    psi = max(pair.discord, d)
    z_alpha, z_beta = stats.norm.isf(alpha), stats.norm.isf(1 - power)
    return int(np.ceil((z_alpha * np.sqrt(psi) + z_beta * np.sqrt(max(psi - d * d, 0.0))) ** 2 / d**2))


def accuracy(labels: Labels, p: Scores) -> float:
    return float(np.mean((p > 0.5) == labels))


def balanced_accuracy(labels: Labels, p: Scores) -> float:
    said = p > 0.5
    return float(np.mean([np.mean(said[labels == kind] == kind) for kind in np.unique(labels)]))


def mcc(labels: Labels, p: Scores) -> float:
    said = p > 0.5
    tp, tn = int(np.sum(said & (labels == 1))), int(np.sum(~said & (labels == 0)))
    fp, fn = int(np.sum(said & (labels == 0))), int(np.sum(~said & (labels == 1)))
    scale = float(tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / float(np.sqrt(scale)) if scale else 0.0


def holm(ps: dict[str, float], alpha: float) -> set[str]:
    """The names whose p stands when all of them were looked at; one false name in alpha of all gates."""
    standing: set[str] = set()
    for tested, name in enumerate(sorted(ps, key=lambda name: ps[name])):
        if ps[name] > alpha / (len(ps) - tested):
            break
        standing.add(name)
    return standing


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


def bootstrap_mcc_difference(
    labels: Labels, challenger: Scores, champion: Scores, families: NDArray[np.int64], rounds: int, seed: int
) -> Interval:
    """95 % percentile interval of MCC(challenger) - MCC(champion), whole families drawn together."""
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(families == family) for family in np.unique(families)]
    differences = []
    for _ in range(rounds):
        rows = np.concatenate([members[i] for i in generator.integers(0, len(members), len(members))])
        differences.append(mcc(labels[rows], challenger[rows]) - mcc(labels[rows], champion[rows]))
    low, high = np.quantile(differences, (0.025, 0.975))
    return Interval(float(low), float(high))
