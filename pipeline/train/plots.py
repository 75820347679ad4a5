"""Pictures of a training for the people who look at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.train import metrics
from pipeline.train.candidates import Setting
from pipeline.train.views import Labels, Numbers


def loss(history: pl.DataFrame, setting: Setting, file: Path) -> None:
    """Of the first dealing of the families; later ones look alike."""
    first = history.filter(pl.struct("epoch", "head", "weight_decay", "rate").is_first_distinct())
    if setting.kind == "squares":
        _loss_by_decay(first.filter(head="squares").sort("weight_decay"), setting, file)
    else:
        _loss_by_epoch(first, setting, file)


def _loss_by_epoch(first: pl.DataFrame, setting: Setting, file: Path) -> None:
    told = {"head": setting.kind, "weight_decay": setting.decay, "rate": setting.rate or 0.0}
    with _axes(file, "epoch", "log loss") as axes:
        for _, lines in first.group_by(*told, maintain_order=True):
            axes.plot(lines["epoch"], lines["unseen"], color="lightgrey")
        chosen = first.filter(**told)
        axes.plot(chosen["epoch"], chosen["seen"], label="families it learned from")
        axes.plot(chosen["epoch"], chosen["unseen"], label="families it has not seen")
        axes.set_ylim(0, 1.2 * max(*chosen["seen"], *chosen["unseen"]))
        axes.set_title(f"{setting.kind}, weight decay {setting.decay:g} (grey: the others)")
        axes.legend()


def _loss_by_decay(lines: pl.DataFrame, setting: Setting, file: Path) -> None:
    """What is solved in one go has no epochs."""
    with _axes(file, "weight decay", "log loss") as axes:
        axes.semilogx(lines["weight_decay"], lines["seen"], label="families it learned from")
        axes.semilogx(lines["weight_decay"], lines["unseen"], label="families it has not seen")
        axes.axvline(setting.decay, color="lightgrey")
        axes.set_title(f"squares, weight decay {setting.decay:g}")
        axes.legend()


def roc(labels: Labels, p: Numbers, file: Path) -> None:
    with _axes(file, "false alarms", "roadwork found") as axes:
        axes.plot(*metrics.roc(labels, p))
        axes.plot([0, 1], [0, 1], color="lightgrey")
        axes.set_title(f"dev views: area {metrics.auc(labels, p):.3f}")


def reliability(labels: Labels, p: Numbers, file: Path) -> None:
    claimed, found, counts = metrics.reliability(labels, p)
    with _axes(file, "probability given", "share with roadwork") as axes:
        axes.plot([0, 1], [0, 1], color="lightgrey")
        axes.scatter(claimed, found, s=300 * counts / counts.max())
        axes.set_title(f"dev views: calibration error {metrics.calibration_error(labels, p):.3f}")


def embedding(vectors: NDArray[np.float32], labels: Labels, p: Numbers, file: Path) -> None:
    """The widest plane through the vectors: where the classes lie, and which of them are answered wrongly."""
    across, up = _plane(vectors)
    wrong = (p > 0.5) != (labels > 0)
    with _axes(file, "first principal component", "second") as axes:
        for label, (name, colour) in enumerate((("clear", "tab:blue"), ("roadwork", "tab:orange"))):
            of = labels == label
            axes.scatter(across[of], up[of], s=8, color=colour, label=name)
        axes.scatter(
            across[wrong], up[wrong], s=30, facecolors="none", edgecolors="black", label="answered wrongly"
        )
        axes.set_title("dev views as the backbone sees them")
        axes.legend()


def _plane(vectors: NDArray[np.float32]) -> tuple[Numbers, Numbers]:
    centred = vectors.astype(np.float64) - vectors.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    first, second = directions[0], directions[min(1, len(directions) - 1)]
    # A direction has no sign of its own; rounded, so that no last bit reaches the picture.
    points = [np.round(centred @ (d * np.sign(d[np.abs(d).argmax()])), 3) for d in (first, second)]
    return points[0], points[1]


@contextmanager
def _axes(file: Path, across: str, up: str) -> Iterator[Axes]:
    # Not pyplot: it keeps global state, and looks for a screen.
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.add_subplot(xlabel=across, ylabel=up)
    yield axes
    FigureCanvasAgg(figure).print_png(file)
