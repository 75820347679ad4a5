"""Does a head on frozen features tell roadwork in cities it has never seen? A few real photos, split by city.

python -m benchmarks.realset --data FOLDER [--size 640x384] [--filter lanczos] [--quick]

FOLDER holds index.csv (file,label,source); each source is a city with its own camera, and the frames of one
are kin. The cities are dealt into folds, each with both kinds of photos; each fold in turn is unseen. An AUC
is of one head on one fold, since the answers of two heads have no scale in common, and is averaged over
folds and dealings. `ours` is a head of the kind `squares`, `shipped` what params.yaml says, `plain` logistic
regression from a library, all on the same clean frames. Nothing of the folder is copied.
"""

import argparse
import csv
import json
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import polars as pl

from benchmarks import results_file
from inference_runtime.preprocess import Filter
from pipeline import features, images, params
from pipeline.params import Train
from pipeline.progress import Progress
from pipeline.train import fit, metrics
from pipeline.train.folds import folds_of
from pipeline.train.views import Views

ROOT = Path(__file__).parent.parent
# Few labels from few cameras are what `squares` is for. There are fewer labels than numbers in a vector, so
# many lines part them without a miss, and the shortest of these is hardly held at all.
FEW_CAMERAS = {"heads": ("squares",), "weight_decays": (0.003, 0.03, 0.3)}
WHO = ("ours", "shipped", "plain")
FOLDS = 5
DEALINGS = 8
Scores = np.ndarray[Any, np.dtype[np.float64]]
Teach = Callable[[Views], Callable[[Any], Scores]]


def main(data: Path, size: tuple[int, int], filter: Filter, quick: bool) -> None:
    if not (data / "index.csv").exists():
        print(f"{data}/index.csv: not there; nothing was measured")
        print(json.dumps({"skipped": str(data)}))
        return
    cv2.setNumThreads(1)
    numbers = params.load(ROOT / "params.yaml")
    shown = {"width": size[0], "height": size[1], "filter": filter}
    backbone = numbers.backbone.model_copy(update=shown)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {name: f"{folder}/{name}" for name in ("IMAGES", "FEATURES", "CHECKPOINTS")}
        table = photos(data, every=6 if quick else 1)
        vectors, index = features.embed(table, 1, backbone)
        views = Views(vectors, index.join(table, on="image", how="left", maintain_order="left"))
        few = numbers.train.model_copy(update=FEW_CAMERAS)
        who: dict[str, Teach] = {
            "ours": partial(ours, train=few),
            "shipped": partial(ours, train=numbers.train),
            "plain": plain,
        }
        rows = measured(views, who, 1 if quick else DEALINGS)
    said = figures(rows)
    show(rows, said)
    if not quick:
        results_file.write("realset", {**said, **shown}, rows)
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
    return table.with_columns(family="city", weight=pl.lit(1.0), profile=pl.lit(features.AS_SENT))


def measured(views: Views, teachers: dict[str, Teach], dealings: int) -> list[dict[str, Any]]:
    """A row per held-out fold of each dealing and teacher."""
    rows = []
    for turn in range(dealings):
        own = folds_of(views.frame, FOLDS, turn)
        for fold in Progress(range(own.max() + 1), f"realset: dealing {turn + 1} of {dealings}, folds"):
            kept = own != fold
            known, unseen = part(views, kept), part(views, ~kept)
            for who, teach in teachers.items():
                logits = teach(known)(unseen.vectors)
                rows.append({"dealing": turn, "fold": fold, "who": who, **judged(unseen, logits)})
    return rows


def part(views: Views, kept: np.ndarray[Any, np.dtype[np.bool_]]) -> Views:
    return Views(views.vectors[kept], views.frame.filter(pl.Series(kept)))


def judged(views: Views, logits: Scores) -> dict[str, Any]:
    """`same_camera` is within cameras that took both kinds: only what they show tells those apart."""
    cities = views.frame["city"].to_numpy()
    of_one = [
        metrics.auc(views.labels[own], logits[own])
        for own in (cities == city for city in np.unique(cities))
        if len(np.unique(views.labels[own])) == 2
    ]
    return {
        "cities": ", ".join(np.unique(cities)),
        "auc": metrics.auc(views.labels, logits),
        "accuracy": float(np.mean((logits > 0) == (views.labels > 0))),
        "same_camera": float(np.mean(of_one)) if of_one else None,
    }


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


def figures(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Means; and in what share of the dealings ours is ahead of plain: all deal the same photos."""
    table = pl.DataFrame(rows)
    kinds = ("auc", "same_camera", "accuracy")
    told = [(f"{kind}_{who}", table.filter(who=who)[kind]) for kind in kinds for who in WHO]
    each = (
        table.group_by("dealing", "who").agg(pl.col("auc").mean()).pivot("who", index="dealing", values="auc")
    )
    told.append(("dealings_ahead", each["ours"] > each["plain"]))
    return {name: round(float(np.mean(values.drop_nulls().to_numpy())), 3) for name, values in told}


def show(rows: list[dict[str, Any]], said: dict[str, float]) -> None:
    print(f"\nours is ahead of plain in {said['dealings_ahead']:.0%} of the dealings")
    table = (
        pl.DataFrame(rows)
        .group_by("who")
        .agg(pl.col("auc").mean(), pl.col("auc").min().alias("worst fold"), pl.col("same_camera").mean())
    )
    for who, auc, worst, same in table.sort("who").iter_rows():
        print(f"  {who:<8} AUC {auc:.3f}  worst fold {worst:.3f}  cameras that took both kinds {same:.3f}")
    print()


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realset", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv (file,label,source)")
    parser.add_argument("--size", type=_size, default=(640, 384), help="pixels that the backbone sees")
    parser.add_argument(
        "--filter", choices=get_args(Filter), default="lanczos", help="by which photos come to that size"
    )
    parser.add_argument("--quick", action="store_true", help="every sixth photo")
    given = parser.parse_args()
    main(given.data, given.size, given.filter, given.quick)
