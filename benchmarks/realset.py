"""Does a head on frozen features tell roadwork in cities it has never seen? A few real photos, split by city.

python -m benchmarks.realset --data FOLDER [--quick]

FOLDER holds index.csv (file,label,source); each source is a city with its own camera. Every city in turn is
held out: the head learns from all the others and answers the frames of that one. The peer is plain logistic
regression on the same clean frames. Nothing of the folder is copied.
"""

import argparse
import csv
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl

from benchmarks import results_file
from pipeline import features, images, params
from pipeline.params import Train
from pipeline.progress import Progress, say
from pipeline.train import fit, metrics
from pipeline.train.views import Views

ROOT = Path(__file__).parent.parent
Scores = np.ndarray[Any, np.dtype[np.float64]]


def main(data: Path, quick: bool) -> None:
    if not (data / "index.csv").exists():
        print(f"{data}/index.csv: not there; nothing was measured")
        print(json.dumps({"skipped": str(data)}))
        return
    cv2.setNumThreads(1)
    numbers = params.load(ROOT / "params.yaml")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {name: f"{folder}/{name}" for name in ("IMAGES", "FEATURES", "CHECKPOINTS")}
        table = photos(data, every=6 if quick else 1)
        vectors, index = features.embed(table, 1, numbers.backbone)
        views = Views(vectors, index.join(table, on="image", how="left", maintain_order="left"))
        answers = {
            "ours": held_out(views, lambda part: ours(part, numbers.train)),
            "plain": held_out(views, plain),
        }
    rows = [row(views, name, answers) for name in ("all cities", "same cameras")]
    said = figures(rows)
    show(rows, views, answers)
    if not quick:
        results_file.write("realset", said, rows)
    print(json.dumps(said))


def photos(data: Path, every: int) -> pl.DataFrame:
    with (data / "index.csv").open(newline="") as file:
        records = list(csv.DictReader(file))[::every]
    rows = [
        {
            "image": images.put((data / one["file"]).read_bytes()),
            "label": int(one["label"]),
            "city": one["source"],
        }
        for one in Progress(records, "realset: photos")
    ]
    table = pl.DataFrame(rows).unique("image", keep="first", maintain_order=True)
    return table.with_columns(family="image", weight=pl.lit(1.0), profile=pl.lit(features.AS_SENT))


def held_out(views: Views, teach: Callable[[Views], Callable[[Any], Scores]]) -> Scores:
    """The logit of each photo by a head that has seen nothing of its city."""
    cities = views.frame["city"].to_numpy()
    logits = np.zeros(len(cities))
    for city in np.unique(cities):
        own = cities == city
        say(f"realset: without {city}")
        logits[own] = teach(Views(views.vectors[~own], views.frame.filter(~pl.Series(own))))(
            views.vectors[own]
        )
    return logits


def ours(views: Views, train: Train) -> Callable[[Any], Scores]:
    head = fit.fit(views, train).head
    return lambda vectors: head.logits(vectors).astype(np.float64)


def plain(views: Views) -> Callable[[Any], Scores]:
    """As a library has it by default: standardised features, weak penalty."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    fitted = model.fit(views.vectors, views.labels)
    return lambda vectors: np.asarray(fitted.decision_function(vectors), np.float64)


def row(views: Views, name: str, answers: dict[str, Scores]) -> dict[str, Any]:
    """Cameras that took both kinds are told apart by nothing but what they show."""
    kinds = views.frame.select(pl.col("label").n_unique().over("city")).to_series().to_numpy()
    kept = kinds > 1 if name == "same cameras" else np.ones(len(kinds), bool)
    labels = views.labels[kept]
    told: dict[str, Any] = {"photos": name, "clear": int((labels == 0).sum()), "roadwork": int(labels.sum())}
    for who, logits in answers.items():
        told[f"auc_{who}"] = round(metrics.auc(labels, logits[kept]), 3)
        told[f"accuracy_{who}"] = round(float(np.mean((logits[kept] > 0) == (labels > 0))), 3)
    return told


def figures(rows: list[dict[str, Any]]) -> dict[str, float]:
    names = zip(("", "same_camera_"), rows, strict=True)
    return {f"{place}auc_{who}": one[f"auc_{who}"] for place, one in names for who in ("ours", "plain")}


def show(rows: list[dict[str, Any]], views: Views, answers: dict[str, Scores]) -> None:
    print("\neach city held out in turn")
    for one in rows:
        print("  " + "  ".join(f"{key} {value}" for key, value in one.items()))
    print("\nmean logit of ours")
    told = views.frame.with_columns(logit=pl.Series(answers["ours"])).group_by("city", "label")
    for city, label, count, logit in (
        told.agg(pl.len(), pl.col("logit").mean()).sort("city", "label").iter_rows()
    ):
        print(f"  {city:<24} {('clear', 'roadwork')[label]:<9} {count:>4} {logit:>+7.2f}")
    print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realset", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv (file,label,source)")
    parser.add_argument("--quick", action="store_true", help="every sixth photo")
    given = parser.parse_args()
    main(given.data, given.quick)
