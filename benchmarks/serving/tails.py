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


def draw(figures: Mapping[str, Any], file: Path) -> None:
    """A row for each cell and peer: the ratio, and how far it may be off."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in figures if name != "failed"][::-1]
    figure, axes = pyplot.subplots(figsize=(8, 0.6 + 0.35 * len(names)))
    for place, name in enumerate(names):
        ratio, low, high = figures[name]
        axes.plot((low, high), (place, place), color="#1c7ed6", linewidth=3, solid_capstyle="round")
        axes.plot(ratio, place, "o", color="#d9480f")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(names)), [f"{cell}, by {peer}" for cell, peer in map(_halves, names)])
    axes.set_title("p99 of this runtime by that of a peer, 95 %", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def _halves(name: str) -> tuple[str, str]:
    cell, _, peer = name.partition(", ")
    return cell.removesuffix(" 1") + (", one client" if cell.endswith(" 1") else " loop"), peer


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
