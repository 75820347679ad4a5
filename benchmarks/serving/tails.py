"""Whose p99 is lower, and how sure that is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.entrants import OURS
from benchmarks.serving.plans import Cell
from benchmarks.serving.track import Row

DRAWS = 2000
SEED = 72

Rounds = list[NDArray[np.float64]]


def figures(rows: Sequence[Row], cells: Sequence[Cell]) -> dict[str, Any]:
    """For each cell and peer this runtime's p99 by the peer's: the ratio, and its 95 % interval."""
    said: dict[str, Any] = {}
    raced = [row for row in rows if row.cell in [cell.title for cell in cells]]
    for cell in cells:
        here = [row for row in raced if row.cell == cell.title]
        ours = _rounds(here, OURS)
        for name in dict.fromkeys(row.name for row in here if row.name != OURS):
            said[f"{cell.title}, {name}"] = _compared(ours, _rounds(here, name))
    return said | {"failed": sum(row.failed for row in raced)}


def _rounds(rows: Sequence[Row], name: str) -> Rounds:
    return [np.array(row.ms) for row in rows if row.name == name]


def _compared(ours: Rounds, theirs: Rounds) -> list[float]:
    """A round is drawn as a whole, for what the machine did in it met all of its answers."""
    draw = np.random.default_rng(SEED)
    ratios = [
        _p99(ours, some) / _p99(theirs, some) for some in draw.integers(len(ours), size=(DRAWS, len(ours)))
    ]
    ratio = _p99(ours, range(len(ours))) / _p99(theirs, range(len(theirs)))
    return [round(float(one), 3) for one in (ratio, *np.percentile(ratios, (2.5, 97.5)))]


def _p99(rounds: Rounds, some: Any) -> float:
    return float(np.percentile(np.concatenate([rounds[one] for one in some]), 99))
