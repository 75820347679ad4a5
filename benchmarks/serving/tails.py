"""Whose p99 is lower, and how sure that is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.entrants import OURS
from benchmarks.serving.plans import Cell
from benchmarks.serving.track import Row

DRAWS = 2000
SEED = 72

Rounds = list[NDArray[np.float64]]
# By cell and by the title of a peer: a ratio, and the ends of its 95 % interval.
Ratios = Mapping[str, Mapping[str, Sequence[float]]]


def ratios(rows: Sequence[Row], cells: Sequence[Cell]) -> Ratios:
    """This runtime's p99 by that of each peer."""
    return {cell.title: _ratios([row for row in rows if row.cell == cell.title]) for cell in cells}


def draw(ratios: Ratios, file: Path) -> None:
    """A row for each cell and peer: the ratio, and how far it may be off."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    told = {(cell, title): ratio for cell, peers in ratios.items() for title, ratio in peers.items()}
    figure, axes = pyplot.subplots(figsize=(8, 0.6 + 0.35 * len(told)))
    for place, (ratio, low, high) in enumerate(reversed(told.values())):
        axes.plot((low, high), (place, place), color="#1c7ed6", linewidth=3, solid_capstyle="round")
        axes.plot(ratio, place, "o", color="#d9480f")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(told)), [_label(cell, title) for cell, title in reversed(told)])
    axes.set_title("p99 of this runtime by that of a peer, 95 %", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def _label(cell: str, title: str) -> str:
    where = cell.removesuffix(" 1") + (", one client" if cell.endswith(" 1") else " loop")
    return f"{where}, by {title.partition(',')[0]}"


def _ratios(rows: Sequence[Row]) -> dict[str, list[float]]:
    ours = _rounds(rows, OURS)
    peers = dict.fromkeys(row.title for row in rows if row.name != OURS)
    return {title: _compared(ours, _rounds(rows, title)) for title in peers}


def _rounds(rows: Sequence[Row], title: str) -> Rounds:
    return [np.array(row.ms) for row in rows if row.title == title]


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
