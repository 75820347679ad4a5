"""A folder with labels.csv (file,label,tags) beside its pictures."""

import csv
from collections.abc import Iterator
from pathlib import Path

from inference_runtime.errors import Fixable
from pipeline.pull.base.offer import Offers, of_file

FILE = "labels.csv"
COLUMNS = ("file", "label")


def offers(folder: Path) -> Offers:
    listing = folder / FILE
    for line, record in _records(listing):
        name = record["file"] or ""
        yield of_file(
            folder / name, (str(listing), line), name, record["label"], (record.get("tags") or "").split()
        )


def _records(listing: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with listing.open(newline="") as file:
        reader = csv.DictReader(file)
        if missing := set(COLUMNS) - set(reader.fieldnames or ()):
            raise Fixable(f"{listing}: no column {', '.join(sorted(missing))} in its first line; add it")
        yield from enumerate(reader, 2)
