"""Recall and false merges at each threshold, as one picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def plot(curve: Sequence[dict[str, Any]], chosen: float, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps = [one["likeness"] for one in curve]
    figure, left = pyplot.subplots(figsize=(7, 4))
    left.plot(steps, [one["recall"] for one in curve], color="#d95f0e", label="recall of what was planted")
    left.set(xlabel="likeness from which two pictures are kin", ylabel="recall", ylim=(0.8, 1.005))
    right = left.twinx()
    right.plot(steps, [one["false"] for one in curve], color="#2c7fb8", label="false merges")
    right.set(ylabel="pairs of strangers merged")
    left.axvline(chosen, color="#7f7f7f", linestyle=":")
    lines = [*left.get_lines()[:1], *right.get_lines()]
    left.legend(lines, [line.get_label() for line in lines], frameon=False, loc="center right")
    for axes in (left, right):
        axes.spines["top"].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
