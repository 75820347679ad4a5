"""Labelled pictures that were there first: a folder with labels.csv (file,label,tags)."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inference_runtime.errors import Fixable, ImageError
from pipeline import images
from pipeline.progress import Progress
from pipeline.pull.quarantine import Quarantine

COLUMNS = ("file", "label", "tags")
FULL_FRAME = "2026-01"  # validators will crop these; a view must do the same


def read(folder: Path, source: str, key: str, quarantine: Quarantine) -> list[dict[str, Any]]:
    listing = folder / "labels.csv"
    rows: dict[str, dict[str, Any]] = {}
    for number, record in Progress(list(_records(listing, key)), f"pull: {source}"):
        try:
            row = _row(folder, record, source)
        except (ImageError, FileNotFoundError, ValueError) as error:
            quarantine.add(str(listing), number, record.get("file"), str(error))
            continue
        rows[row["image"]] = row
    return list(rows.values())


def _records(listing: Path, key: str) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with listing.open(newline="") as file:
            reader = csv.DictReader(file)
            if missing := set(COLUMNS) - set(reader.fieldnames or ()):
                raise Fixable(f"{listing}: no column {', '.join(sorted(missing))} in its first line; add it")
            yield from enumerate(reader, 2)
    except FileNotFoundError:
        raise Fixable(
            f"params.yaml: {key}: {listing} not found; point it at labelled pictures, "
            "or paint some: python -m pipeline world seed"
        ) from None


def _row(folder: Path, record: dict[str, str], source: str) -> dict[str, Any]:
    if record["label"] not in ("0", "1"):
        raise ValueError(f"label {record['label']!r} of {record['file']} is neither 0 nor 1")
    picture = images.admit((folder / record["file"]).read_bytes())
    return {
        "image": picture.image,
        "source": source,
        "family": picture.image,
        "profile": FULL_FRAME,
        "width": picture.width,
        "height": picture.height,
        "label": int(record["label"]),
        "labeler": source,
        "tags": sorted((record["tags"] or "").split()),
    }
