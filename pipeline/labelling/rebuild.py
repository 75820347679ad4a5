"""FiftyOne's dataset is a view of the tables: dropped, it is made anew from them."""

import csv
import io
from datetime import datetime
from pathlib import Path

import polars as pl

from inference_runtime.errors import Fixable
from pipeline import drafts, marks, samples, stages
from pipeline.params import Params

FILE = "fiftyone-before-rebuild.csv"


def rebuilt(params: Params, artifacts: Path) -> str:
    """Labels that no pull has taken home yet are handed in as a file first."""
    from pipeline import fiftyone_view

    name = params.people.dataset
    if name is None:
        raise Fixable("params.yaml: people.dataset: null; there is nothing to rebuild")
    pulled = samples.read(stages.refuse_absent(artifacts / "pull"))
    with fiftyone_view.opened(name) as view:
        rescued = _rescue(view.labels(), pulled, Path(params.people.labels))
        view.dataset.delete()
    with fiftyone_view.opened(name) as view:
        view.upsert(pulled)
        if (artifacts / "mine").is_dir():
            view.show_cases(samples.asked(samples.read(artifacts / "mine")))
    _mark(name, params, artifacts / "assemble")
    said = f"; {rescued} labels that no pull had seen lie in {params.people.labels}/{FILE}" if rescued else ""
    return f"{name}: {pulled.height:,} pictures shown anew{said}"


def _rescue(labels: pl.DataFrame, pulled: pl.DataFrame, folder: Path) -> int:
    known = pulled.select("image", "label", "labeler")
    new = labels.join(known, on=["image", "label", "labeler"], how="anti").sort("labelled_at", "image")
    if new.height:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("image", "label", "labeler", "at"))
        rows.writerows((*row[:3], _iso(row[3])) for row in new.iter_rows())
        drafts.write(folder / FILE, text.getvalue().encode())
    return new.height


def _iso(at: datetime) -> str:
    return at.isoformat()


def _mark(name: str, params: Params, assembled: Path) -> None:
    if not (assembled / "suspects.parquet").exists():
        return
    doubts = pl.read_parquet(assembled / "suspects.parquet").head(params.quality.suspects.review)
    faults = pl.read_parquet(assembled / "faults.parquet")
    marks.put(name, doubts, faults, samples.read(assembled).select("image", "split"))
