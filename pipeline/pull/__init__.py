"""Brings predictions and labels home: each journal entry once, what is broken set aside."""

import json
from datetime import datetime
from pathlib import Path

import polars as pl

from pipeline import clock, samples
from pipeline.params import People, Pull
from pipeline.progress import say
from pipeline.pull import base, journal, labels
from pipeline.pull.quarantine import Quarantine


def run(params: Pull, people: People, out: Path) -> None:
    until = clock.moment()
    quarantine = Quarantine()
    rows = base.read(Path(params.base), "base", "pull.base", quarantine)
    rows += base.read(Path(params.gold), "gold", "pull.gold", quarantine)
    predictions = journal.read(params.journal, until, quarantine)
    quarantine.check(params.max_broken, total=len(rows) + predictions.height + len(quarantine.rows))
    known = journal.merge(samples.frame(rows, samples.PULLED), predictions)
    said = labels.handed_in(Path(people.labels), until)
    table = _with_people(known, said, people.dataset, until)
    samples.write(table, out)
    samples.write(predictions, out, "predictions.parquet")
    quarantine.write(out)
    _summarise(table, predictions, quarantine, out)


def _with_people(
    known: pl.DataFrame, said: pl.DataFrame, dataset: str | None, until: datetime
) -> pl.DataFrame:
    """Labels and tags that people gave, by CSV and in FiftyOne; FiftyOne is shown the result."""
    if dataset is None:
        return labels.apply(known, said)
    from pipeline import fiftyone_view

    with fiftyone_view.opened(dataset) as view:
        said = pl.concat([said, labels.until(view.labels(), until)])
        table = labels.apply(known, said, view.tags())
        added = view.upsert(table)
    say(f"pull: {added:,} new in FiftyOne's dataset {dataset}")
    return table


def _summarise(table: pl.DataFrame, predictions: pl.DataFrame, quarantine: Quarantine, out: Path) -> None:
    summary = {
        "images": table.height,
        "predictions": predictions.height,
        "labelled": table["label"].count(),
        "quarantined": len(quarantine.rows),
    }
    (out / "summary.json").write_text(json.dumps(summary))
