"""All that was ever said in FiftyOne, which itself keeps only the last word on a picture."""

import re
from pathlib import Path

import polars as pl

from pipeline import samples
from pipeline.pull import ledger


def remember(dataset: str, said: pl.DataFrame) -> pl.DataFrame:
    """What is said now and what was said before, kept."""
    file = _file(dataset)
    before = pl.read_parquet(file) if file.exists() else said.clear()
    everything = pl.concat([before, said]).unique().sort(list(samples.WORDS))
    if everything.height > before.height:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".draft")
        samples.keep(everything, draft)
        draft.replace(file)
    return everything


def _file(dataset: str) -> Path:
    return ledger.root() / f"said-{re.sub(r'[^A-Za-z0-9]+', '-', dataset)}.parquet"
