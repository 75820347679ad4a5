"""What waits for a person tonight: what mine picked, and labels that are in doubt."""

from pathlib import Path
from typing import Any

import polars as pl

from inference_runtime.errors import Fixable
from pipeline import marks, samples, stages
from pipeline.params import Params

PLACE = "view=queue&workspace=review"  # the saved view that shows all of it, the panel beside it


def opened(params: Params) -> str:
    """Starts the App where it does not run; the line that says where to click."""
    from pipeline.services import app, mongo, supervise

    dataset = _dataset(params)
    mongo.up()
    if app.url() is None:
        supervise.wait([app.launch()])
    counts = marks.count(dataset)
    if not counts:
        raise Fixable(f"FiftyOne: no dataset {dataset} yet; run `python -m pipeline pull` first")
    waiting = ", ".join(f"{count:,} {tag}" for tag, count in counts.items())
    return f"{app.url()}/datasets/{dataset}?{PLACE}\n{waiting}; `make down` stops the App"


def _dataset(params: Params) -> str:
    if params.people.dataset is None:
        raise Fixable("params.yaml: people.dataset: null; name a FiftyOne dataset, or use --export")
    return params.people.dataset


def tasks(params: Params, artifacts: Path) -> list[dict[str, Any]]:
    """Cases first, then labels in doubt, each once: image, why, and what was said so far."""
    mined = samples.read(stages.refuse_absent(artifacts / "mine"))
    cases = mined.filter(pl.col("label").is_null()).sort("score", "image", descending=[True, False])
    found = [
        {"image": image, "why": reason, "p": p, "label": None}
        for image, reason, p in cases.select("image", "reason", "p").iter_rows()
    ]
    file = artifacts / "assemble" / "suspects.parquet"
    if file.exists():
        doubts = pl.read_parquet(file).head(params.quality.suspects.review)
        found += [
            {"image": image, "why": "label in doubt", "p": p, "label": label}
            for image, label, p in doubts.select("image", "label", "p").iter_rows()
        ]
    return list({one["image"]: one for one in reversed(found)}.values())[::-1]
