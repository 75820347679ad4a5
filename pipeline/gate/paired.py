"""Two models on the same items: who won where, and how sure that makes one."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Flags = NDArray[np.bool_]
POWER = 0.8  # how often a real difference should be seen with the items said to be needed
STEADY = 0.9  # the same, where the point is that nothing is lost


@dataclass(frozen=True)
class Pairs:
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


def score(pair: Pairs, gain: float) -> float:
    """Tango's score of the hypothesis that the true gain is `gain`: a standard normal if it is."""
    if not pair.n:
        return 0.0
    likely = _lost_share(pair, gain)
    spread = np.sqrt(max(pair.n * (2 * likely + gain * (1 - gain)), 0.0))
    apart = pair.won - pair.lost - pair.n * gain
    return float(apart / spread) if spread else float(np.sign(apart) * np.inf) if apart else 0.0


def _lost_share(pair: Pairs, gain: float) -> float:
    """The likeliest share of lost items where the true gain is `gain`."""
    a = 2 * pair.n
    b = -pair.won - pair.lost + (a - pair.won + pair.lost) * gain
    c = -pair.lost * gain * (1 - gain)
    return float((np.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a))


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


def interval(pair: Pairs, level: float = 0.95) -> Interval:
    """Of the true gain, by inverting the score; honest for few items and for none lost."""
    z = float(stats.norm.isf((1 - level) / 2))
    edge = 1 - 1e-9
    low = _crossing(pair, z, -edge, pair.gain) if pair.n else -1.0
    high = _crossing(pair, -z, pair.gain, edge) if pair.n else 1.0
    return Interval(low, high)


def _crossing(pair: Pairs, z: float, start: float, end: float) -> float:
    """The score falls as the hypothesis rises."""
    if (score(pair, start) - z) * (score(pair, end) - z) > 0:
        return start if z > 0 else end
    return float(optimize.brentq(lambda gain: score(pair, gain) - z, start, end, xtol=1e-9))


def not_worse(pair: Pairs, margin: float) -> float:
    """One-sided p of the hypothesis that the challenger loses `margin` or more."""
    return float(stats.norm.sf(score(pair, -margin))) if pair.n else 1.0


def items_needed(pair: Pairs, alpha: float, bar: float) -> int:
    """Items that would show the gain seen so far (at least the bar), if it is real."""
    d = max(pair.gain, bar)
    psi = max(pair.discord, d)
    z_alpha, z_beta = stats.norm.isf(alpha), stats.norm.isf(1 - POWER)
    return int(np.ceil((z_alpha * np.sqrt(psi) + z_beta * np.sqrt(max(psi - d * d, 0.0))) ** 2 / d**2))


def items_for_margin(discord: float, margin: float, alpha: float) -> int:
    """Items that would show that no more than `margin` is lost, if nothing is."""
    reach = float(stats.norm.isf(alpha) + stats.norm.isf(1 - STEADY))
    return int(np.ceil(reach**2 * discord / margin**2))


def holm(ps: Mapping[str, float], alpha: float) -> set[str]:
    """The names whose p stands when all of them were looked at; one false name in alpha of all gates."""
    standing: set[str] = set()
    for tested, name in enumerate(sorted(ps, key=lambda name: ps[name])):
        if ps[name] > alpha / (len(ps) - tested):
            break
        standing.add(name)
    return standing
