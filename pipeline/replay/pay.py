"""Expected reward as a function of how many clear and how many roadwork pictures are answered rightly."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline import challenge

Numbers = NDArray[np.float64]

# Finer where good models live.
NODES = np.concatenate([np.linspace(0, 0.8, 17), np.linspace(0.82, 1, 10)])
WINDOWS = 8000


def expected(rates: Numbers) -> Numbers:
    """[N,2] shares of clear and roadwork pictures answered rightly -> [N] mean pay per challenge."""
    from scipy.interpolate import RegularGridInterpolator

    pay: Numbers = RegularGridInterpolator((NODES, NODES), _grid())(rates)
    return pay


@lru_cache(maxsize=1)
def _grid() -> Numbers:
    """The same luck at all nodes: what differs between two of them is what differs between two models."""
    rng = np.random.default_rng(72)
    labels = rng.random((WINDOWS, challenge.LONG)) < 0.5
    luck = rng.random((WINDOWS, challenge.LONG), np.float32)
    clear, works = np.where(labels, 2, luck), np.where(labels, luck, 2)
    right = [(_counts(clear < rate), _counts(works < rate)) for rate in NODES]
    grid = np.zeros((len(NODES), len(NODES)))
    for at in np.ndindex(grid.shape):
        grid[at] = _paid(right[at[0]][0], right[at[1]][1], labels.sum(1))
    return grid


def _counts(right: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """In the long window, and in the short one at its end."""
    return right.sum(1).astype(np.float64), right[:, -challenge.SHORT :].sum(1).astype(np.float64)


def _paid(clear: tuple[Numbers, Numbers], works: tuple[Numbers, Numbers], positive: Numbers) -> float:
    alarms, misses = challenge.LONG - positive - clear[0], positive - works[0]
    accuracy = (clear[1] + works[1]) / challenge.SHORT
    return float(challenge.paid(challenge.matthews(works[0], alarms, misses, clear[0]), accuracy).mean())
