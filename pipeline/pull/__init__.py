"""Brings predictions and labels home: each journal entry once, what is broken set aside."""

import json
from datetime import datetime
from pathlib import Path

import polars as pl

from pipeline import clock, samples
from pipeline.params import People, Pull
from pipeline.progress import say
from pipeline.pull import base, journal, labels
from pipeline.pull.labels import remembered, verdicts
from pipeline.pull.quarantine import Quarantine

PREDICTIONS = "predictions.parquet"
SAID = "said.parquet"  # every word on every picture
CONFLICTS = "conflicts.parquet"


def run(params: Pull, people: People, out: Path) -> None:
    until = clock.moment()
    quarantine = Quarantine()
    offered = base.sets(params, quarantine)
    known = base.one_each(offered)
    predictions = journal.read(params, until, quarantine, known["image"])
    quarantine.check(params.max_broken, total=offered.height + predictions.height + len(quarantine.rows))
    words = pl.concat([labels.of_sets(offered), labels.handed_in(Path(people.labels))])
    table, words = _with_people(journal.merge(known, predictions), words, params, people.dataset, until)
    conflicts = verdicts.conflicts(verdicts.judged(words, params.trust))
    samples.write(table, out)
    samples.keep(predictions, out / PREDICTIONS)
    samples.keep(words.sort(list(samples.WORDS)), out / SAID)
    samples.keep(conflicts.sort(list(samples.WORDS)), out / CONFLICTS)
    quarantine.write(out)
    _summarise(table, predictions, quarantine, conflicts, out)


def _with_people(
    merged: pl.DataFrame, words: pl.DataFrame, params: Pull, dataset: str | None, until: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table with the labels that count, and all words up to then; FiftyOne is heard, and then shown."""
    if dataset is None:
        words = labels.until(words, until)
        return _labelled(merged, words, params), words
    from pipeline import fiftyone_view

    with fiftyone_view.opened(dataset) as view:
        words = pl.concat([words, remembered.remember(dataset, labels.clicked(view.labels(), words))])
        tags, heard = view.tags(), labels.until(words, until)
        # A past night must not take back in the App what was said since.
        added = view.upsert(_labelled(merged, words, params, tags))
        table = _labelled(merged, heard, params, tags)
    say(f"pull: {added:,} new in FiftyOne's dataset {dataset}")
    return table, heard


def _labelled(
    merged: pl.DataFrame, words: pl.DataFrame, params: Pull, tags: pl.DataFrame | None = None
) -> pl.DataFrame:
    return labels.apply(merged, verdicts.spoken(verdicts.judged(words, params.trust)), tags)


def _summarise(
    table: pl.DataFrame,
    predictions: pl.DataFrame,
    quarantine: Quarantine,
    conflicts: pl.DataFrame,
    out: Path,
) -> None:
    ties = conflicts.filter(pl.col("resolved").is_null())["image"].n_unique()
    summary = {
        "images": table.height,
        "predictions": predictions.height,
        "labelled": table["label"].count(),
        "conflicts": conflicts["image"].n_unique(),
        "unresolved": ties,
        "quarantined": len(quarantine.rows),
    }
    (out / "summary.json").write_text(json.dumps(summary))
    if conflicts.height:
        say(
            f"pull: labels of {summary['conflicts']} pictures contradict each other, "
            f"{ties} unresolved: {CONFLICTS}"
        )
