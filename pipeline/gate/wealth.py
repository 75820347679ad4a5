"""Evidence that may be looked at every night: a bet against "no challenger is better", and what it has won.

Before each fresh item a share of the wealth is put on the challenger. Where no challenger is better than the
champion the wealth is, in the mean, never more than it was; so the chance that it ever reaches 1 / alpha, at
whatever item, on whatever night, is at most alpha. docs/gate.md has the argument in full.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pipeline.gate.paired import Pairs

Segment = tuple[str, Sequence[int]]  # challengers of one kin, and their items: 1 won, -1 lost, 0 neither
FAR = 200_000  # items beyond which nobody wants to hear how many are missing


@dataclass(frozen=True)
class Wealth:
    start: float  # what the kin before left, never more than 1
    now: float
    height: float  # the most it has ever been with this kin
    items: Pairs  # of this kin


def log_evidence(won: ArrayLike, lost: ArrayLike) -> NDArray[np.float64]:
    """The log of the mean over all strengths p from 1/2 to 1 of (2p)^won (2(1-p))^lost."""
    b, c = np.asarray(won, np.float64), np.asarray(lost, np.float64)
    with np.errstate(divide="ignore"):
        tail = np.log(special.betaincc(b + 1, c + 1, 0.5))
    found: NDArray[np.float64] = (b + c + 1) * np.log(2) + special.betaln(b + 1, c + 1) + tail
    return found


def grown(tries: Iterable[Segment]) -> Wealth:
    """Through all tries in their order. A new kin starts with what is left, without another's winnings."""
    wealth = Wealth(1.0, 1.0, 1.0, Pairs(0, 0, 0))
    for _, group in groupby((one for one in tries if len(one[1])), key=lambda one: one[0]):
        wealth = _bet(min(1.0, wealth.now), np.concatenate([signs for _, signs in group]))
    return wealth


def _bet(start: float, signs: NDArray[np.int64]) -> Wealth:
    won, lost = np.cumsum(signs > 0), np.cumsum(signs < 0)
    curve = start * np.exp(log_evidence(won, lost))
    items = Pairs(len(signs), int(won[-1]), int(lost[-1]))
    return Wealth(start, float(curve[-1]), max(start, float(curve.max())), items)


def items_missing(wealth: Wealth, goal: float, bar: float) -> int | None:
    """Fresh items after which the goal is reached if the gain seen so far (at least the bar) goes on."""
    seen = wealth.items
    gain = max(seen.gain, bar)
    discord = max(seen.discord, 3 * bar, gain)
    more = np.arange(0, FAR, 10)
    won = seen.won + more * (discord + gain) / 2
    lost = seen.lost + more * (discord - gain) / 2
    there = np.log(wealth.start) + log_evidence(won, lost) >= np.log(goal)
    enough = there & ((won - lost) >= bar * (seen.n + more) - 1e-9)
    return int(more[enough.argmax()]) if enough.any() else None
