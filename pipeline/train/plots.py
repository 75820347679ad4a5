"""Pictures of a training for the people who look at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.train import metrics
from pipeline.train.views import Labels, Numbers


def loss(history: pl.DataFrame, decay: float, file: Path) -> None:
    with _axes(file, "epoch", "log loss") as axes:
        for (other,), lines in history.group_by("weight_decay", maintain_order=True):
            if other != decay:
                axes.plot(lines["epoch"], lines["unseen"], color="lightgrey")
        chosen = history.filter(weight_decay=decay)
        axes.plot(chosen["epoch"], chosen["seen"], label="families it learned from")
        axes.plot(chosen["epoch"], chosen["unseen"], label="families it has not seen")
        axes.set_title(f"weight decay {decay:g} (grey: the others)")
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


@contextmanager
def _axes(file: Path, across: str, up: str) -> Iterator[Axes]:
    # Not pyplot: it keeps global state, and looks for a screen.
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.add_subplot(xlabel=across, ylabel=up)
    yield axes
    FigureCanvasAgg(figure).print_png(file)
