"""The stage train: a head on the frozen backbone, calibrated, judged on dev, with its papers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline.params import Backbone, Train

if TYPE_CHECKING:
    from pipeline.train.fit import Fitted
    from pipeline.train.views import Numbers, Views


def run(params: Train, backbone: Backbone, assemble: Path, out: Path) -> None:
    from pipeline import classifier
    from pipeline.train import calibration, fit, metrics, views

    learned, dev = views.read(assemble, params.views, backbone)
    fitted = fit.fit(learned, params)
    head = replace(calibration.calibrated(fitted.head, dev), looks=params.looks)
    p = head.probabilities(dev.vectors)
    figures = metrics.report(dev.frame, p)
    classifier.write(head, out, backbone)
    _write(out / "metrics.json", figures)
    history = pl.DataFrame(fitted.history)
    history.write_csv(out / "history.csv", float_precision=6)
    _draw(history, fitted, dev, p, out)
    _write(out / "summary.json", _summary(learned.frame, fitted, figures))


def _draw(history: pl.DataFrame, fitted: "Fitted", dev: "Views", p: "Numbers", out: Path) -> None:
    from pipeline.train import plots

    plots.loss(history, fitted.setting, out / "loss.png")
    plots.roc(dev.labels, p, out / "roc.png")
    plots.reliability(dev.labels, p, out / "reliability.png")
    plots.embedding(dev.vectors, dev.labels, p, out / "embedding.png")


def _write(file: Path, figures: dict[str, Any]) -> None:
    file.write_text(json.dumps(figures, indent=2) + "\n")


def _summary(learned: pl.DataFrame, fitted: "Fitted", figures: dict[str, Any]) -> dict[str, Any]:
    told = ("expected_reward", "balanced_accuracy", "auc")
    counts: dict[str, Any] = {
        "train": learned["image"].n_unique(),
        "dev": figures["images"],
        "epochs": fitted.epochs,
    }
    counts |= {"head": fitted.setting.kind, "weight decay": fitted.setting.decay}
    return counts | {f"dev {name.replace('_', ' ')}": figures[name] for name in told}
