"""Whose p99 and CPU are lower, whose throughput is higher, and how sure that is."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean

import numpy as np

from benchmarks.serving.entrants import OURS
from benchmarks.serving.plans import Cell
from benchmarks.serving.track import Row

DRAWS = 2000
SEED = 72

# A ratio, and the ends of its 95 % interval.
Ratio = Sequence[float]
# By cell, by the title of a peer, and by what is measured.
Ratios = Mapping[str, Mapping[str, Mapping[str, Ratio]]]


def _p99(rows: Sequence[Row]) -> float:
    return float(np.percentile(np.concatenate([row.ms for row in rows]), 99))


def _rps(rows: Sequence[Row]) -> float:
    return mean(row.rps for row in rows)


def _cpu(rows: Sequence[Row]) -> float:
    return mean(row.cpu_ms for row in rows)


MEASURES: Mapping[str, Callable[[Sequence[Row]], float]] = {"p99": _p99, "rps": _rps, "cpu": _cpu}
# Throughput is told and not drawn: an open loop asks all for the same.
DRAWN = {"p99": "p99", "cpu": "CPU per request"}


def ratios(rows: Sequence[Row], cells: Sequence[Cell]) -> Ratios:
    """This runtime's figures by those of each peer."""
    return {cell.title: _ratios([row for row in rows if row.cell == cell.title]) for cell in cells}


def draw(ratios: Ratios, file: Path) -> None:
    """A row for each cell and peer: the ratio, and how far it may be off."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pairs = [(cell, title) for cell, peers in ratios.items() for title in peers]
    figure, panels = pyplot.subplots(1, len(DRAWN), figsize=(10, 0.6 + 0.35 * len(pairs)), sharey=True)
    for axes, (measure, name) in zip(panels, DRAWN.items(), strict=True):
        for place, (cell, title) in enumerate(reversed(pairs)):
            ratio, low, high = ratios[cell][title][measure]
            axes.plot((low, high), (place, place), color="#1c7ed6", linewidth=3, solid_capstyle="round")
            axes.plot(ratio, place, "o", color="#d9480f")
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_yticks(range(len(pairs)), [_label(*pair) for pair in reversed(pairs)])
        axes.set_title(f"{name} of this runtime by that of a peer, 95 %", fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def _label(cell: str, title: str) -> str:
    mode, clients = cell.split()
    where = {"open": "open loop", "1": "one client"}.get(clients, f"{clients} clients")
    return f"{mode}, {where}, by {title.partition(',')[0]}"


def _ratios(rows: Sequence[Row]) -> dict[str, dict[str, Ratio]]:
    ours = _of(rows, OURS)
    peers = dict.fromkeys(row.title for row in rows if row.name != OURS)
    return {
        title: {name: _compared(ours, _of(rows, title), measure) for name, measure in MEASURES.items()}
        for title in peers
    }


def _of(rows: Sequence[Row], title: str) -> list[Row]:
    return [row for row in rows if row.title == title]


def _compared(ours: list[Row], theirs: list[Row], measure: Callable[[Sequence[Row]], float]) -> Ratio:
    """A round is drawn as a whole, for what the machine did in it met all of its answers."""
    draw = np.random.default_rng(SEED)
    ratios = [
        measure([ours[one] for one in some]) / measure([theirs[one] for one in some])
        for some in draw.integers(len(ours), size=(DRAWS, len(ours)))
    ]
    return [
        round(float(one), 3) for one in (measure(ours) / measure(theirs), *np.percentile(ratios, (2.5, 97.5)))
    ]
