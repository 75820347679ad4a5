"""The answers given lately: from the journal of this machine, else as the last night brought them home."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from inference_runtime.entries import Entry, read, segments
from pipeline import samples

DAY, WEEKS = timedelta(days=1), timedelta(days=15)
SHADOW = "shadow"


@dataclass(frozen=True)
class Answer:
    at: datetime
    p: float
    bundle: str


def lately(journal: str, pull: Path, now: datetime) -> list[Answer]:
    """Those of the last fifteen days, each once, the oldest first."""
    known = {one.at: one for one in _brought_home(pull, now - WEEKS)}
    known |= {one.at: one for one in _journalled(journal, now - DAY)}
    return [known[at] for at in sorted(known)]


def parted(answers: list[Answer], now: datetime) -> tuple[list[float], list[float]]:
    """What the bundle that answered last said in the last day, and what it said before."""
    bundle = answers[-1].bundle if answers else None
    same = [one for one in answers if one.bundle == bundle]
    recent = [one.p for one in same if one.at > now - DAY]
    return recent, [one.p for one in same if one.at <= now - DAY]


def _journalled(journal: str, since: datetime) -> Iterator[Answer]:
    """A store elsewhere is the night's matter: nothing is fetched every quarter of an hour."""
    folder = Path(journal)
    if "://" in journal or not folder.is_dir():
        return
    for file in segments(folder):
        if file.stat().st_mtime < since.timestamp():
            continue
        for entry in read(file):
            if isinstance(entry, Entry) and entry.role != SHADOW:
                at = datetime.fromisoformat(entry.at)
                if at > since:
                    yield Answer(at, entry.p, entry.bundle)


def _brought_home(pull: Path, since: datetime) -> Iterator[Answer]:
    if not (pull / "predictions.parquet").exists():
        return
    table = samples.read(pull, "predictions.parquet")
    table = table.filter((pl.col("role") != SHADOW) & (pl.col("at") > since))
    yield from (Answer(*row) for row in table.select("at", "p", "bundle").iter_rows())
